#!/bin/sh
# record.sh CNNC NETS > networks.jsonl: each network of the folder NETS, profiled at one thread and at two.
# Two lines a network and thread count: the share of the measured peak, and the latency.
set -eu
cnnc=$1
cd "$2"
for net in mnist_cnn resnet18 resnet50 mobilenet_v2 squeezenet1_1 efficientnet_b0 densenet121 vgg16 unet tinyyolo; do
    for threads in 1 2; do
        "$cnnc" bench "$net.onnx" --threads "$threads" --seconds 1 --profile --json | tail -n 2
    done
done
