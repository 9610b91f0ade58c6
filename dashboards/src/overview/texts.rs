//! The texts of areas.

use crate::texts::{Lang, texts};

texts! {
    Texts;
    areas: "区域", "Areas";
    no_area: "未划区域", "In no area";
    only: "只看此区域", "This area only";
    every: "全部区域", "All areas";
    none_such: "本案场没有区域“{}”。", "The site has no area \"{}\".";
    nothing_here: "此区域没有设备。", "No devices stand in this area.";
}

impl Lang {
    /// Its texts of areas.
    pub fn area_texts(self) -> &'static Texts {
        match self {
            Self::Zh => &ZH,
            Self::En => &EN,
        }
    }
}
