"""The features of a table by NumPy, without this project.

    features.py TABLE OUT

Columns x; age;city;kind;part, decimal commas. OUT has a line per row, sorted by
part and x: the standardized features x, age, age is missing, city=..., city is
missing, with the categories, means and deviations of the rows of train.
"""

import csv
import sys

import numpy as np


def number(field):
    return float(field.replace(",", ".")) if field else np.nan


with open(sys.argv[1], encoding="utf-8") as file:
    rows = list(csv.DictReader(file, delimiter=";"))
parts = {part: [r for r in rows if r["part"] == part]
         for part in ("train", "valid", "test")}
for part in parts.values():
    part.sort(key=lambda r: number(r["x"]))

train = parts["train"]
cities = sorted({r["city"] for r in train} - {""})
mean_age = np.nanmean([number(r["age"]) for r in train])
shares = [np.mean([r["city"] == city for r in train if r["city"]])
          for city in cities]


def features(row):
    age, city = number(row["age"]), row["city"]
    is_city = [float(city == c) for c in cities] if city else shares
    return [number(row["x"]), mean_age if np.isnan(age) else age,
            float(np.isnan(age)), *is_city, float(not city)]


x = {part: np.array([features(r) for r in rows])
     for part, rows in parts.items()}
mean, deviation = x["train"].mean(0), x["train"].std(0)
with open(sys.argv[2], "w", encoding="utf-8") as out:
    for part in ("train", "valid", "test"):
        for row in (x[part] - mean) / deviation:
            out.write(" ".join(repr(float(n)) for n in row) + "\n")
