# r_*.dput, and what R predicts: Rscript make_nnet.R   (R 4.2.2, nnet 7.3-18)
library(nnet)
set.seed(1)
d <- iris
keep <- c("n","nunits","nconn","conn","nsunits","decay","entropy","softmax","censored","value","wts","lev","coefnames")
digits <- c("keepNA","keepInteger","niceNames","showAttributes","digits17")
fit <- nnet(Species ~ ., d, size=3, decay=1e-3, maxit=100, trace=FALSE)
fit$fitted.values <- NULL; fit$residuals <- NULL
dput(fit, "r_iris.dput", control=digits)
two <- nnet(factor(Species=="setosa") ~ Petal.Length + Sepal.Width, d, size=2, maxit=20, trace=FALSE)
two$fitted.values <- NULL; two$residuals <- NULL
dput(two, "r_two.dput", control="exact")
m <- multinom(Species ~ Petal.Length + Sepal.Width, d, trace=FALSE, maxit=20)
m$fitted.values <- NULL; m$residuals <- NULL
dput(m, "r_multinom.dput", control=digits)
d$Y <- d$Sepal.Length*2 + d$Petal.Width
set.seed(1)
skip <- nnet(Y ~ Petal.Length + Sepal.Width, d, size=3, linout=TRUE, skip=TRUE, decay=1e-3, maxit=50, trace=FALSE)
dput(skip[intersect(keep, names(skip))], "r_skip.dput", control=digits)
x <- d[c(1, 60, 120),]
f <- function(a) cat(sprintf("%.17g", t(a)), "\n")
f(predict(fit, x)); f(predict(two, x)); f(predict(m, x, "probs"))
f(predict(skip, data.frame(Petal.Length=c(1.4, 5, 300), Sepal.Width=c(3.5, 2, -200))))
