"""pattern_cells.m, cascade_matrix.m: random numbers in the forms that genFunction prints."""

from pathlib import Path

import numpy as np

MODULE = """
% ===== MODULE FUNCTIONS ========

% Map Minimum and Maximum Input Processing Function
function y = mapminmax_apply(x,settings)
y = bsxfun(@minus,x,settings.xoffset);
y = bsxfun(@times,y,settings.gain);
y = bsxfun(@plus,y,settings.ymin);
end

function y = mapstd_apply(x,settings)
y = bsxfun(@minus,x,settings.xoffset);
y = bsxfun(@times,y,settings.gain);
y = bsxfun(@plus,y,settings.ymean);
end

function y = removeconstantrows_apply(x,settings)
y = x(settings.keep,:);
end

% Sigmoid Symmetric Transfer Function
function a = tansig_apply(n,~)
a = 2 ./ (1 + exp(-2*n)) - 1;
end

% Sigmoid Positive Transfer Function
function a = logsig_apply(n,~)
a = 1 ./ (1 + exp(-n));
end

% Competitive Soft Transfer Function
function a = softmax_apply(n,~)
nmax = max(n,[],1);
n = bsxfun(@minus,n,nmax);
numerator = exp(n);
denominator = sum(numerator,1);
denominator(denominator == 0) = 1;
a = bsxfun(@rdivide,numerator,denominator);
end

% Map Minimum and Maximum Output Reverse-Processing Function
function x = mapminmax_reverse(y,settings)
x = bsxfun(@minus,y,settings.ymin);
x = bsxfun(@rdivide,x,settings.gain);
x = bsxfun(@plus,x,settings.xoffset);
end
"""


def m(a):
    a = np.atleast_2d(a)
    s = ";".join(" ".join(repr(float(v)) for v in row) for row in a)
    return s if a.size == 1 else f"[{s}]"


r = np.random.default_rng(4)


def n(*s):
    return r.normal(size=s)


# cells, samples in rows, two steps, patternnet
pattern = f"""function [Y,Xf,Af] = pattern_cells(X,~,~)
%PATTERN_CELLS neural network simulation function, with random numbers.

%#ok<*RPMT0>

% ===== NEURAL NETWORK CONSTANTS =====

% Input 1
x1_step1.keep = [1 3 4];
x1_step1.remove = 2;
x1_step2.xoffset = {m(n(3, 1))};
x1_step2.gain = {m(np.abs(n(3, 1)))};
x1_step2.ymin = -1;

% Layer 1
b1 = {m(n(4, 1))};
IW1_1 = {m(n(4, 3))};

% Layer 2
b2 = {m(n(3, 1))};
LW2_1 = {m(n(3, 4))};

% ===== SIMULATION ========

% Format Input Arguments
isCellX = iscell(X);
if ~isCellX, X = {{X}}; end;

% Dimensions
TS = size(X,2); % timesteps
if ~isempty(X)
    Q = size(X{{1}},1); % samples/series
else
    Q = 0;
end

% Allocate Outputs
Y = cell(1,TS);

% Time loop
for ts=1:TS

    % Input 1
    X{{1,ts}} = X{{1,ts}}';
    temp = removeconstantrows_apply(X{{1,ts}},x1_step1);
    Xp1 = mapminmax_apply(temp,x1_step2);

    % Layer 1
    a1 = logsig_apply(repmat(b1,1,Q) + IW1_1*Xp1);

    % Layer 2
    a2 = softmax_apply(repmat(b2,1,Q) + LW2_1*a1);

    % Output 1
    Y{{1,ts}} = a2;
    Y{{1,ts}} = Y{{1,ts}}';
end

% Final Delay States
Xf = cell(1,0);
Af = cell(2,0);

% Format Output Arguments
if ~isCellX, Y = cell2mat(Y); end
end
"""
Path("pattern_cells.m").write_text(pattern + MODULE)
cascade = f"""function [y1] = cascade_matrix(x1)
%CASCADE_MATRIX neural network simulation function, with random numbers.

% ===== NEURAL NETWORK CONSTANTS =====

% Input 1
x1_step1.xoffset = {m(n(2, 1))};
x1_step1.gain = {m(np.abs(n(2, 1)))};
x1_step1.ymean = 0;

% Layer 1
b1 = {m(n(3, 1))};
IW1_1 = {m(n(3, 2))};

% Layer 2
b2 = {m(n(2, 1))};
IW2_1 = {m(n(2, 2))};
LW2_1 = {m(n(2, 3))};

% Output 1
y1_step1.ymin = -1;
y1_step1.gain = {m(np.abs(n(2, 1)))};
y1_step1.xoffset = {m(n(2, 1) * 100)};

% ===== SIMULATION ========

% Dimensions
Q = size(x1,2); % samples

% Input 1
xp1 = mapstd_apply(x1,x1_step1);

% Layer 1
a1 = tansig_apply(repmat(b1,1,Q) + IW1_1*xp1);

% Layer 2
a2 = repmat(b2,1,Q) + IW2_1*xp1 + LW2_1*a1;

% Output 1
y1 = mapminmax_reverse(a2,y1_step1);
end
"""
Path("cascade_matrix.m").write_text(cascade + MODULE)
