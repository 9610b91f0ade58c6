//! Fuzz targets. The functions are in `targets.rs`, which the workspace's own tests run as well.

pub mod targets;
