"""opencv*: networks that OpenCV has trained; pip install opencv-python-headless==4.11.0.86."""

import cv2
import numpy as np

ml = cv2.ml
random = np.random.default_rng(0)
x = (random.normal(size=(50, 3)).astype(np.float32) * [1, 10, 3]).astype(np.float32)
t = np.c_[x[:, 0] * 3 + x[:, 1], x[:, 2]].astype(np.float32)


def train(file, activation, first, second, flags=0):
    network = ml.ANN_MLP_create()
    network.setLayerSizes(np.array([3, 4, 2]))
    network.setActivationFunction(activation, first, second)
    network.setTrainMethod(ml.ANN_MLP_RPROP)
    network.setTermCriteria((3, 30, 1e-4))
    network.train(ml.TrainData_create(x, ml.ROW_SAMPLE, t), flags)
    network.save(file)


train("opencv_gaussian.xml", ml.ANN_MLP_GAUSSIAN, 0.5, 2)
train("opencv_leaky.xml", ml.ANN_MLP_LEAKYRELU, 0.2, 0, ml.ANN_MLP_NO_OUTPUT_SCALE)
train("opencv_relu_scaled.xml", ml.ANN_MLP_RELU, 0, 0)  # it predicts NaN
train("opencv.yml", ml.ANN_MLP_SIGMOID_SYM, 0, 0)
train("opencv.json", ml.ANN_MLP_SIGMOID_SYM, 0, 0)
