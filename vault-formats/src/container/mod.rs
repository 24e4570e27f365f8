//! Files that hold files: zip archives, within limits.
