function [y1] = cascade_matrix(x1)
%CASCADE_MATRIX neural network simulation function, with random numbers.

% ===== NEURAL NETWORK CONSTANTS =====

% Input 1
x1_step1.xoffset = [-0.9798545663746768;-0.7977957578895382];
x1_step1.gain = [0.20333248577190258;0.7479597259631346];
x1_step1.ymean = 0;

% Layer 1
b1 = [0.8509672909755427;-0.7096848707086849;-0.6071971852553313];
IW1_1 = [-0.7978229151665286 -0.584238229157347;-0.2379233775647261 -0.13181504769026442;2.058114468497711 -0.5064036597864299];

% Layer 2
b2 = [-0.28872436702922194;0.4585777290940279];
IW2_1 = [-0.9530740655699254 -0.36862714912240996;0.013318481161013024 0.7741459470172646];
LW2_1 = [-1.3160148587467566 1.3714694572870232 -0.35245736590160387;0.1694164211036251 0.8470883039345106 0.6607929217270263];

% Output 1
y1_step1.ymin = -1;
y1_step1.gain = [1.059231886175497;0.17319781643187807];
y1_step1.xoffset = [-1.9613353374506273;31.64785392796004];

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
