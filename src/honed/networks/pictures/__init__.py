"""Networks that look at pictures: backbones of several libraries, and the classifier on top of one."""
