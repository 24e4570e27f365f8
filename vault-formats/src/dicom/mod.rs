//! DICOM: files, series and directories of images.
