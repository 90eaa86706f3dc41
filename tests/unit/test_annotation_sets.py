"""Boxes and outlines in the formats of COCO, Pascal VOC and YOLO, each with its planted faults."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from honed.data.picture_sets import read_picture_set
from honed.data.picture_sets.geometry import turn_box, turn_rle
from honed.data.picture_sets.rle import counts_of_text, mask_of, text_of_counts, text_of_mask
from honed.errors import DataError
from tests.pictured import draw, kinds, public, read, told

SIZE = (60, 40)
SQUARE = [10, 10, 20, 10, 20, 20, 10, 20]


def boxes(table: Any, row: int = 0) -> list[tuple[str, list[float]]]:
    return [(item["label"], item["box_xyxy"]) for item in table.column("objects")[row]]


def upside(path: Path, orientation: int, size: tuple[int, int] = SIZE) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return draw(path, size, exif=exif)


# --- COCO ------------------------------------------------------------------------------------------------------------
def coco(folder: Path, annotations: list[dict[str, Any]], name: str = "set.json", n: int = 2, **other: Any) -> Path:
    """n pictures "0.jpg", ... of 60 x 40 and their annotations, with the categories 1 cat and 7 dog."""
    for number in range(n):
        if not (folder / f"{number}.jpg").exists():
            draw(folder / f"{number}.jpg", SIZE)
    images = [{"id": n_, "file_name": f"{n_}.jpg", "width": 60, "height": 40} for n_ in range(n)]
    categories = [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}]
    annotations = [{"id": place, **annotation} for place, annotation in enumerate(annotations)]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories, **other}))
    return path


def box(x: float, y: float, w: float, h: float, image: Any = 0, category: Any = 1, **other: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": [x, y, w, h], **other}


def test_coco_as_it_should_be(tmp_path: Path) -> None:
    ring = np.zeros((40, 60), bool)
    ring[5:15, 30:50] = True
    segmented = [
        box(10, 10, 10, 10, segmentation=[SQUARE]),
        box(30, 5, 20, 10, category=7, iscrowd=1, segmentation={"size": [40, 60], "counts": text_of_mask(ring)}),
        box(30, 5, 20, 10, 1, segmentation={"size": [40, 60], "counts": counts_of_text(text_of_mask(ring))}),
    ]
    table = read(coco(tmp_path, segmented))
    assert table.names == ["image", "objects", "width", "height"] and table.findings == ()
    first, second = table.column("objects")[0]
    assert first == {"label": "cat", "box_xyxy": [10, 10, 20, 20], "crowd": False, "polygons": [SQUARE], "rle": None}
    assert second["label"] == "dog" and second["crowd"] and second["polygons"] is None
    assert (mask_of(second["rle"], 40, 60) == ring).all()
    assert table.column("objects")[1][0]["rle"] == second["rle"]
    assert read(tmp_path).arrow.equals(table.arrow)


def test_coco_faults_are_told(tmp_path: Path) -> None:
    path = coco(
        tmp_path,
        [
            box(50, 30, 20, 20),  # clipped by ten pixels
            box(40, 10, 21, 10),  # by one
            box(5, 5, 0, 10),  # no width
            box(70, 5, 10, 10),  # outside altogether
            box(5, 5, math.nan, 10),
            box(1, 1, 5, 5), box(1, 1, 5, 5),  # twice
            box(1, 1, 5, 5, category=3),  # no such class
            box(1, 1, 5, 5, image=99),  # no such picture
            {"image_id": 0, "category_id": 1, "bbox": [1, 2, 3]},
            {"image_id": 0, "category_id": 1},
            box(20, 20, 5, 5, segmentation=[[1, 1, 2, 2]]),  # two points
            box(26, 20, 5, 5, segmentation={"size": [4, 4], "counts": [16]}),  # of another size
            box(3, 3, 1, 1, image=2),
        ],
        n=4,
    )  # fmt: skip
    (tmp_path / "2.jpg").unlink()
    (tmp_path / "3.jpg").write_bytes(b"no")
    draw(tmp_path / "extra.jpg")
    table = read(path)
    assert table.n_rows == 2
    assert [found for _, found in boxes(table)] == [
        [50, 30, 60, 40], [40, 10, 60, 20], [1, 1, 6, 6], [20, 20, 25, 25], [26, 20, 31, 25]]  # fmt: skip
    for kind, code, count in (
        ("clipped", "D068", 1), ("rounded", "D068", 1), ("degenerate", "D069", 3), ("repeated", "D070", 1),
        ("unknown class", "D071", 1), ("unreadable line", "D075", 2), ("bad outline", "D069", 2),
        ("unreadable", "D065", 1), ("no objects", "D067", 1), ("unused class", "D072", 1), ("unmentioned", "D076", 1),
        ("absent", "D066", 2),
    ):  # fmt: skip
        assert (told(table, kind).code, told(table, kind).n_rows) == (code, count), kind
    assert told(table, "clipped").rows == (1,) and told(table, "no objects").rows == (2,)
    assert {item["rle"] for item in table.column("objects")[0]} == {None}
    assert len(kinds(table)) == 12


def test_coco_boxes_written_as_corners_stop_the_run(tmp_path: Path) -> None:
    corners = [box(20, 10, 58, 38), box(30, 5, 55, 30), box(2, 2, 50, 39, 1)]
    assert told(read(coco(tmp_path, corners)), "corners").level == "blocker"
    sizes = [box(20, 10, 38, 28), box(30, 5, 25, 25), box(2, 2, 48, 37, 1)]
    assert "corners" not in kinds(read(coco(tmp_path, sizes)))


def test_coco_names_that_do_not_fit(tmp_path: Path) -> None:
    path = coco(tmp_path, [box(1, 1, 5, 5, category=4), box(9, 9, 5, 5)], categories=[])
    assert [label for label, _ in boxes(read(path))] == ["4", "1"]
    assert told(read(path), "unnamed class").n_rows == 2
    twice = [{"id": 1, "name": "cat"}, {"id": 4, "name": "cat"}, {"id": 5, "name": ""}]
    path = coco(tmp_path, [box(1, 1, 5, 5, category=4), box(9, 9, 5, 5)], categories=twice)
    assert [label for label, _ in boxes(read(path))] == ["cat", "cat"]
    assert {"name twice", "unnamed class"} <= kinds(read(path))


def test_coco_parts_and_other_files(tmp_path: Path) -> None:
    for part, x in (("train2017", 1), ("val2017", 2)):
        coco(tmp_path / part, [box(x, 1, 5, 5)], f"../annotations/instances_{part}.json")
        coco(tmp_path / part, [box(x, 1, 5, 5)], f"../annotations/person_keypoints_{part}.json")
    table = read(tmp_path)
    assert table.column("part") == ["train", "train", "validation", "validation"]
    assert [boxes(table, row)[0][1][0] for row in (0, 2)] == [1, 2]  # equal names in two folders are told apart
    assert told(table, "other file").n_rows == 2
    assert table.reading["annotations"] == "instances_train2017.json, instances_val2017.json"


def test_coco_as_exported_into_folders_of_parts(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        coco(tmp_path / part, [box(1, 1, 5, 5)], "_annotations.coco.json")
    table = read(tmp_path)
    assert table.column("part") == ["test"] * 2 + ["train"] * 2 + ["validation"] * 2


def test_a_picture_in_two_parts_is_kept_for_the_test(tmp_path: Path) -> None:
    for part in ("train", "test"):
        coco(tmp_path, [box(1, 1, 5, 5), box(1, 1, 5, 5, 1)], f"{part}.json")
    table = read(tmp_path)
    assert table.n_rows == 2 and set(table.column("part")) == {"test"}
    assert told(table, "several parts").n_rows == 2


def test_a_file_of_all_parts_beside_those_of_each_is_left_aside(tmp_path: Path) -> None:
    for name in ("train", "val"):
        coco(tmp_path / name, [box(1, 1, 5, 5)], f"../{name}.json")
    images = [{"id": 0, "file_name": "train/0.jpg"}, {"id": 1, "file_name": "val/0.jpg"}]
    (tmp_path / "all.json").write_text(
        json.dumps({"images": images, "annotations": [box(1, 1, 5, 5)], "categories": []})
    )
    table = read(tmp_path)
    assert table.n_rows == 4 and told(table, "other file").examples == ("all.json",)


def test_stored_on_the_side_with_boxes_of_the_stored_pixels(tmp_path: Path) -> None:
    """The stated size is that of the stored pixels, so the boxes are turned; checked on a bright spot itself."""
    stored = np.zeros((40, 60, 3), np.uint8)
    stored[4:12, 8:20] = 255
    mask = stored[..., 0] > 0
    exif = Image.Exif()
    from honed.data.pictures import open_picture

    for orientation in (5, 6, 7, 8):
        exif[0x0112] = orientation
        Image.fromarray(stored).save(tmp_path / "0.jpg", exif=exif, quality=95)
        outline, masked = [8, 4, 20, 4, 20, 12, 8, 12], {"size": [40, 60], "counts": text_of_mask(mask)}
        path = coco(tmp_path, [box(8, 4, 12, 8, segmentation=[outline]),
                               box(8, 4, 12, 8, category=7, segmentation=masked)], n=1)  # fmt: skip
        table = read(path)
        assert told(table, "turned").code == "D079" and (table.column("width"), table.column("height")) == ([40], [60])
        bright = open_picture(tmp_path / "0.jpg")[..., 0] > 128
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        first, second = table.column("objects")[0]
        assert first["box_xyxy"] == second["box_xyxy"] == seen
        assert {min(first["polygons"][0][::2]), max(first["polygons"][0][::2])} == {seen[0], seen[2]}
        assert (mask_of(second["rle"], 60, 40) == bright).all()


def test_stored_turned_where_nothing_settles_it(tmp_path: Path) -> None:
    upside(tmp_path / "0.jpg", 3)
    upside(tmp_path / "1.jpg", 6, (40, 60))  # upright it is 60 x 40, as stated: settled
    table = read(coco(tmp_path, [box(1, 1, 5, 5), box(1, 1, 5, 5, 1)]))
    assert told(table, "perhaps turned").rows == (1,) and boxes(table)[0][1] == [1, 1, 6, 6]


def test_another_size_than_stated(tmp_path: Path) -> None:
    draw(tmp_path / "0.jpg", (30, 20))
    table = read(coco(tmp_path, [box(1, 1, 5, 5)]))
    assert told(table, "size").rows == (1,) and table.column("width")[0] == 30


def test_damaged_annotations_are_an_error(tmp_path: Path) -> None:
    path = coco(tmp_path, [box(1, 1, 5, 5)])
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataError) as error:
        read_picture_set(path)
    assert error.value.code == "D063" and "set.json" in error.value.seen


# --- masks -----------------------------------------------------------------------------------------------------------
def test_masks_agree_with_an_independent_implementation() -> None:
    from faster_coco_eval.core import mask as oracle

    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (7, 5), (40, 60), (200, 300)):
        for share in (0.0, 0.1, 0.9, 1.0):
            mask = rng.random((height, width)) < share
            if height > 7:
                mask[5 : height // 2, 3 : width // 2] = True
            text = text_of_mask(mask)
            assert text == oracle.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
            assert (mask_of(text, height, width) == mask).all()


@pytest.mark.parametrize("text", ["P", "\x01", "é", "00" + text_of_counts([5, -9])])
def test_broken_masks_are_value_errors(text: str) -> None:
    with pytest.raises(ValueError, match="mask"):
        mask_of(text, 3, 3)


def test_turned_boxes_and_masks_lie_where_numpy_puts_them() -> None:
    mask = np.zeros((4, 6), bool)
    mask[0, 1:3] = True
    turned = {1: mask, 2: mask[:, ::-1], 3: mask[::-1, ::-1], 4: mask[::-1], 5: mask.T, 6: np.rot90(mask, -1),
              7: mask[::-1, ::-1].T, 8: np.rot90(mask, 1)}  # fmt: skip
    for orientation, expected in turned.items():
        assert (mask_of(turn_rle(text_of_mask(mask), orientation, 6, 4), *expected.shape) == expected).all()
        x1, y1, x2, y2 = map(int, turn_box((1, 0, 3, 1), orientation, 6, 4))
        found = np.zeros(expected.shape, bool)
        found[y1:y2, x1:x2] = True
        assert (found == expected).all(), orientation


# --- Pascal VOC ------------------------------------------------------------------------------------------------------
def voc(path: Path, objects: str, filename: str | None = None, size: tuple[int, int] = SIZE, head: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = filename if filename is not None else f"{path.stem}.jpg"
    stated = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    path.write_text(f"{head}<annotation><filename>{name}</filename>{stated}{objects}</annotation>")


def voc_object(label: str, numbers: tuple[object, object, object, object], more: str = "") -> str:
    corners = zip(("xmin", "ymin", "xmax", "ymax"), numbers, strict=True)
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in corners)
    return f"<object><name>{label}</name>{more}<bndbox>{inner}</bndbox></object>"


def test_voc_with_lists_and_pixels_from_one(tmp_path: Path) -> None:
    for name in "abcd":
        draw(tmp_path / "JPEGImages" / f"{name}.jpg", SIZE)
        voc(tmp_path / "Annotations" / f"{name}.xml", voc_object("cat", (1, 1, 60, 40), "<difficult>1</difficult>"))
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\nz\n")
    (lists / "val.txt").write_text("b 1\n")
    (lists / "test.txt").write_text("c\r\n")
    (lists / "cat_train.txt").write_text("d -1\n")
    table = read(tmp_path)
    assert table.column("part") == ["train", "validation", "test", None]
    assert boxes(table) == [("cat", [0, 0, 60, 40])] and table.column("objects")[0][0]["crowd"]
    assert told(table, "pixels from one").n_rows == 4 and told(table, "pixels from one").level == "tip"
    assert told(table, "absent").examples == ("z, of the train list",)
    assert told(table, "several parts").rows == (2,) and told(table, "no part").rows == (4,)
    assert kinds(table) == {"pixels from one", "absent", "several parts", "no part"}


def test_voc_from_zero_beside_its_pictures(tmp_path: Path) -> None:
    for part, name in (("train", "a"), ("train", "b"), ("valid", "a")):
        draw(tmp_path / part / f"{name}.jpg", SIZE)
        voc(tmp_path / part / f"{name}.xml", voc_object("cat", (0, 1, 20, 10)), "old name.jpg")
    table = read(tmp_path)
    assert boxes(table)[0][1] == [0, 1, 20, 10] and table.column("part") == ["train", "train", "validation"]
    assert [Path(path).parent.name for path in table.column("image")] == ["train", "train", "valid"]
    assert table.findings == ()


def test_voc_faults_are_told(tmp_path: Path) -> None:
    for name in "abc":
        draw(tmp_path / "images" / f"{name}.png", SIZE)
    draw(tmp_path / "images" / "unsaid.png", SIZE)
    good = voc_object("cat", (0, 0, 9, 9))
    bad = voc_object("cat", ("x", 1, 2, 3)) + "<object><name>cat</name></object>" + voc_object("", (1, 1, 5, 5))
    voc(tmp_path / "annotations" / "a.xml", good + bad + voc_object("cat", (9, 9, 5, 5)), "a.png")
    voc(tmp_path / "annotations" / "b.xml", "", "b.png", size=(0, 0))
    voc(tmp_path / "annotations" / "c.xml", good, "c.png", size=(600, 400))
    voc(tmp_path / "annotations" / "gone.xml", good)
    (tmp_path / "annotations" / "cut.xml").write_text("<annotation><object>")
    table = read(tmp_path)
    assert table.n_rows == 3
    assert told(table, "unreadable line").n_rows == 4 and told(table, "degenerate").n_rows == 1
    assert told(table, "no objects").rows == (2,) and told(table, "size").rows == (3,)
    assert told(table, "absent").n_rows == 1 and told(table, "unmentioned").n_rows == 1
    assert len(kinds(table)) == 6


@pytest.mark.parametrize(
    "head",
    ['<!DOCTYPE a [<!ENTITY x "aaaa"><!ENTITY y "&x;&x;&x;">]>', '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
     '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]>'],
)  # fmt: skip
def test_declarations_in_xml_are_refused(head: str, tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg", SIZE)
    voc(tmp_path / "a.xml", voc_object("cat", (1, 1, 9, 9)), head=head)
    with pytest.raises(DataError) as error:
        read_picture_set(tmp_path)
    assert error.value.code == "D063" and "declaration" in error.value.seen


# --- YOLO ------------------------------------------------------------------------------------------------------------
def yolo(folder: Path, lines: dict[str, str | None], yaml: str = "names: [cat, dog]\ntrain: images/train\n") -> Path:
    """Pictures in images/train with their lines in labels/train; None for no file."""
    for name, text in lines.items():
        draw(folder / "images" / "train" / f"{name}.jpg", SIZE)
        if text is not None:
            path = folder / "labels" / "train" / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if yaml:
        (folder / "data.yaml").write_text(yaml)
    return folder


def test_yolo_boxes_and_outlines(tmp_path: Path) -> None:
    outline = "1 0.1 0.1 0.2 0.1 0.2 0.3 0.1 0.3"
    folder = yolo(tmp_path, {"a": f"0 0.5 0.5 0.5 0.25\n{outline}\n\n", "b": "", "c": None})
    table = read(folder)
    assert boxes(table)[0] == ("cat", [15, 15, 45, 25])
    label, found = boxes(table)[1]
    assert label == "dog" and np.allclose(found, [6, 4, 12, 12])
    assert np.allclose(table.column("objects")[0][1]["polygons"][0], [6, 4, 12, 4, 12, 12, 6, 12])
    assert set(table.column("part")) == {"train"}
    assert told(table, "no objects").rows == (2,) and told(table, "no labels file").rows == (3,)
    assert kinds(table) == {"no objects", "no labels file"}
    assert read(folder / "data.yaml").arrow.equals(table.arrow)


def test_yolo_faults_are_told(tmp_path: Path) -> None:
    lines = {
        "a": "2 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n0 0.9 0.5 0.4 0.1\n",
        "b": "0 0.5 0.5\nx 1 1 1 1\n0 0.5 nan 0.1 0.1\n0.5 0.5 0.5 0.1 0.1\n0 0.3 0.3 0 0.1\n0 0.2 0.2 0.1 0.1 0.9",
        "c": "9 0.5 0.5 0.1 0.1",
    }
    folder = yolo(tmp_path, lines, "names: {0: cat, 1: dog}\ntrain: images/train\nval: images/val\n")
    (folder / "labels" / "train" / "gone.txt").write_text("0 0.5 0.5 0.1 0.1")
    table = read(folder)
    for kind, count in (("unknown class", 2), ("repeated", 1), ("clipped", 1), ("unreadable line", 4), ("degenerate", 1),
                        ("more numbers", 1), ("unused class", 1), ("absent", 2), ("emptied", 1)):  # fmt: skip
        assert told(table, kind).n_rows == count, kind
    assert told(table, "unknown class").code == "D071" and told(table, "emptied").rows == (3,)
    assert len(kinds(table)) == 9


def test_classes_numbered_from_one_stop_the_run(tmp_path: Path) -> None:
    table = read(yolo(tmp_path, {"a": "1 0.5 0.5 0.1 0.1\n2 0.2 0.2 0.1 0.1"}))
    assert told(table, "counted from one").level == "blocker"
    table = read(yolo(tmp_path, {"a": "1 0.5 0.5 0.1 0.1\n0 0.2 0.2 0.1 0.1"}))
    assert table.findings == ()


def test_pixels_in_place_of_shares_stop_the_run(tmp_path: Path) -> None:
    table = read(yolo(tmp_path, {"a": "0 30 20 10 10\n1 20 20 5 5", "b": "0 0.5 0.5 0.1 0.1"}))
    assert told(table, "pixels").level == "blocker" and told(table, "pixels").n_rows == 2


def test_yolo_without_a_yaml_and_without_names(tmp_path: Path) -> None:
    folder = yolo(tmp_path, {"a": "0 0.5 0.5 0.1 0.1"}, yaml="")
    assert boxes(read(folder))[0][0] == "0" and told(read(folder), "unnamed class").n_rows == 1
    (folder / "classes.txt").write_text("cat\ndog\n")
    assert boxes(read(folder))[0][0] == "cat" and told(read(folder), "unused class").examples == ("dog",)


def test_yolo_paths_that_do_not_hold_here(tmp_path: Path) -> None:
    """The paths that exports write: one step too high, of another computer, or lists of files."""
    folder = yolo(tmp_path / "set", {"a": "0 0.5 0.5 0.1 0.1", "b": "1 0.5 0.5 0.1 0.1"})
    for yaml in ("path: /home/x/set\ntrain: images/train", "train: ../images/train", "train: C:\\x\\images\\train"):
        (folder / "data.yaml").write_text(f"names: [cat, dog]\n{yaml}\n")
        assert read(folder).n_rows == 2
    (folder / "list.txt").write_text("./images/train/a.jpg\n")
    (folder / "data.yaml").write_text("names: [cat, dog]\ntrain: list.txt\ntest: [images/train]\n")
    table = read(folder)
    assert table.column("part") == ["test", "test"] and told(table, "several parts").n_rows == 1


@pytest.mark.parametrize("yaml", ["names: 7\ntrain: x\n", "names: [a\ntrain: x"])
def test_a_damaged_yaml_is_an_error(yaml: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="D063"):
        read_picture_set(yolo(tmp_path, {"a": "0 0.5 0.5 0.1 0.1"}, yaml))


# --- whatever a file holds -------------------------------------------------------------------------------------------
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    "x",
    "",
    [],
    [None],
    {},
    [[]],
    [["a"]],
    {"counts": [1, -5]},
    {"counts": "?"},
    3.5,
)


def scrambled(value: Any, rng: np.random.Generator) -> Any:
    """A JSON value in which about one part in twelve is something odd."""
    if rng.random() < 1 / 12:
        return ODD[rng.integers(len(ODD))]
    if isinstance(value, dict):
        return {key: scrambled(inner, rng) for key, inner in value.items() if rng.random() > 0.03}
    return [scrambled(inner, rng) for inner in value] if isinstance(value, list) else value


def test_scrambled_coco_gives_a_table_or_a_coded_error(tmp_path: Path) -> None:
    annotations = [
        box(10, 10, 10, 10, segmentation=[SQUARE]),
        box(1, 1, 5, 5, 1, segmentation={"size": [40, 60], "counts": [2400]}),
    ]
    path = coco(tmp_path, annotations)
    document, rng = json.loads(path.read_text()), np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        parts = {key: scrambled(value, rng) for key, value in document.items()}
        path.write_text(json.dumps(parts))
        try:
            table = read_picture_set(path)
            outcomes.add("table" if table is not None else "no set")
        except DataError as error:
            outcomes.add(error.code)
    assert outcomes >= {"table", "D063", "D064"} and outcomes <= {"table", "no set", "D063", "D064"}


def test_scrambled_lines_and_xml_give_a_table_or_a_coded_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    folder = yolo(
        tmp_path / "yolo", {"a": "0 0.5 0.5 0.1 0.1\n1 0.1 0.1 0.2 0.1 0.2 0.3\n", "b": "1 0.5 0.5 0.2 0.2\n"}
    )
    draw(tmp_path / "voc" / "a.jpg", SIZE)
    voc(tmp_path / "voc" / "a.xml", voc_object("cat", (1, 1, 9, 9)) * 2)
    outcomes = set()
    for target, root in ((folder / "labels" / "train" / "a.txt", folder), (tmp_path / "voc" / "a.xml", tmp_path / "voc"),
                         (folder / "data.yaml", folder)):  # fmt: skip
        whole = target.read_bytes()
        for _ in range(80):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 3):
                data[place] = rng.integers(0, 256)
            target.write_bytes(data)
            try:
                outcomes.add("table" if read_picture_set(root) is not None else "no set")
            except DataError as error:
                outcomes.add(error.code)
        target.write_bytes(whole)
    assert "table" in outcomes and outcomes <= {"table", "no set", "D063", "D064"}


# --- the public sets -------------------------------------------------------------------------------------------------
@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("path", "rows", "objects"),
    [("object_detection/bccd", 364, 4888), ("object_detection/tiny_coco", 100, 852), ("instance_segmentation/fruits_nuts", 18, 165)],
)  # fmt: skip
def test_public_sets_are_read_whole(path: str, rows: int, objects: int) -> None:
    table = read(public(path))
    counts = [len(found) for found in table.column("objects")]
    assert table.n_rows == rows and sum(counts) == objects
    assert not {finding.code for finding in table.findings} & {"D065", "D066", "D068", "D069", "D071", "D075"}
