"""The detectors of the Detectron2 zoo in code of our own: Faster and Mask R-CNN, RetinaNet; names of tensors are theirs."""
