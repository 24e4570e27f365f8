//! Apple Health exports.
