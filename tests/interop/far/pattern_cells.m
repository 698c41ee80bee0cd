function [Y,Xf,Af] = pattern_cells(X,~,~)
%PATTERN_CELLS neural network simulation function, with random numbers.

%#ok<*RPMT0>

% ===== NEURAL NETWORK CONSTANTS =====

% Input 1
x1_step1.keep = [1 3 4];
x1_step1.remove = 2;
x1_step2.xoffset = [-0.6517911526116896;-0.17471729232577715;1.6637239913911968];
x1_step2.gain = [0.659147749832255;1.6413972945846467;0.005203264171931977];
x1_step2.ymin = -1;

% Layer 1
b1 = [-0.6234637409883934;0.14863152325202633;-1.608187784186389;0.2417718768768513];
IW1_1 = [0.23538091873745476 1.5756260314314627 0.3166450164719021;0.5105466616976417 -1.4931166849642326 2.2527291247240275;-1.9156455579583005 1.1018018558224842 -0.3299040738738497;-0.8806465179277969 -0.6562850109290311 -0.6720146806586559];

% Layer 2
b2 = [0.3801890922489917;-0.11005869527805158;1.482571163033857];
LW2_1 = [-1.8296040234453508 -0.0030809646658509597 -0.892055788321591 0.7758718474580595;-2.118060042185068 -0.3436943500994811 0.21017292733610196 -1.4842685839963512;0.9852155828581877 0.1787134291183962 1.006856770707084 0.9591848586745111];

% ===== SIMULATION ========

% Format Input Arguments
isCellX = iscell(X);
if ~isCellX, X = {X}; end;

% Dimensions
TS = size(X,2); % timesteps
if ~isempty(X)
    Q = size(X{1},1); % samples/series
else
    Q = 0;
end

% Allocate Outputs
Y = cell(1,TS);

% Time loop
for ts=1:TS

    % Input 1
    X{1,ts} = X{1,ts}';
    temp = removeconstantrows_apply(X{1,ts},x1_step1);
    Xp1 = mapminmax_apply(temp,x1_step2);

    % Layer 1
    a1 = logsig_apply(repmat(b1,1,Q) + IW1_1*Xp1);

    % Layer 2
    a2 = softmax_apply(repmat(b2,1,Q) + LW2_1*a1);

    % Output 1
    Y{1,ts} = a2;
    Y{1,ts} = Y{1,ts}';
end

% Final Delay States
Xf = cell(1,0);
Af = cell(2,0);

% Format Output Arguments
if ~isCellX, Y = cell2mat(Y); end
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
