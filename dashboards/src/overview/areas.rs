//! The areas (区域) of a site: what stands in each and how it is.

use super::Counts;
use crate::{state::State, tile::DeviceRef};

/// The areas of the site shown, or the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AreaList {
    /// Those in which devices stand, in the order of the standards; what stands in none comes last.
    pub rows: Vec<AreaRow>,
    /// Where all of them are, if one was asked for.
    pub every: Option<String>,
    /// What was asked for, if the site has no such area.
    pub none_such: Option<String>,
}

/// An area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaRow {
    /// What people call it; nothing for devices of which no area is known.
    pub name: Option<String>,
    /// Where it is shown alone.
    pub href: Option<String>,
    /// Its devices by state.
    pub counts: Counts,
    /// Its devices with their states: all of them where it is shown alone, otherwise those that are not normal.
    pub devices: Vec<(DeviceRef, State)>,
}

impl AreaList {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
