"""The notebook's own feature loop, run by classic.py in the interpreter that has Keras.

Arguments: the weight file, and a text file with one picture path a line. Each line on standard input starts one round
over all pictures; each round answers with one JSON line. The first round also saves the features beside the list.
It needs only Keras and one of its engines, not unmingle.
"""

import json
import os
import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras.applications.vgg16 import VGG16, preprocess_input
from keras.utils import load_img


def extract_features(file, model):
    image = np.array(load_img(file, target_size=(224, 224)))
    batch = preprocess_input(image.reshape(1, 224, 224, 3))
    # The notebook let predict draw a progress bar for each picture; without it the loop is a little faster.
    return model.predict(batch, verbose=0)


def main():
    weights, listing = sys.argv[1:]
    files = Path(listing).read_text(encoding="utf-8").splitlines()
    model = VGG16(weights=weights)
    model = keras.Model(inputs=model.inputs, outputs=model.layers[-2].output)
    extract_features(files[0], model)  # compiles
    answers = os.fdopen(os.dup(1), "w")
    engine = keras.backend.backend()
    version = __import__(engine).__version__
    print(json.dumps({"keras": keras.__version__, engine: version}), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        features = [extract_features(file, model) for file in files]
        print(json.dumps({"seconds": time.perf_counter() - start}), file=answers, flush=True)
        np.save(Path(listing).with_suffix(".npy"), np.concatenate(features))


if __name__ == "__main__":
    main()
