//! The texts of arrivals.

use lobby_domain::ticket::arrival::Arrival;

use crate::texts::{Lang, texts};

texts! {
    Texts;
    arrive: "到场", "I am there";
    arrive_for: "到场处理 {}", "Arrived for {}";
    arrive_scan: "用手机相机扫描设备上的二维码标签，在打开的页面上点“到场”。", "Scan the label on the device with the phone's camera, and press \"Arrived\" on the page that opens.";
    arrive_unscanned: "没有扫码的原因", "Why the label was not scanned";
    arrive_note: "说明（选“其他原因”时必填）", "In your words (needed for another reason)";
    arrive_button: "到场（未扫码）", "I am there, without scanning";
    held_by: "接单人：{}", "Accepted by {}";
    scanned: "已扫描设备标签，请确认到场：", "You have scanned the label. Are you here for this?";
    by_label: "已扫描设备标签", "Label scanned";
    label_missing: "标签缺失或无法识别", "Label missing or unreadable";
    not_in_place: "设备不在原位", "Device not at its place";
    other: "其他原因", "Another reason";
    unscanned: "未扫码（{}）", "Not scanned ({})";
    paper_label: "扫码", "scanned";
    paper_word: "未扫码", "not scanned";
    mistake_nothing: "请扫描设备标签，或说明为什么没有扫。", "Scan the label on the device, or say why it was not scanned.";
    mistake_words: "选“其他原因”时请写明是什么原因。", "Say in your words what the other reason is.";
    mistake_label: "这不是本单设备的标签。", "That is not the label of this ticket's device.";
}

impl Lang {
    /// Its texts of arrivals.
    pub fn arrival_texts(self) -> &'static Texts {
        match self {
            Self::Zh => &ZH,
            Self::En => &EN,
        }
    }
}

impl Texts {
    /// Why a label was not scanned, or that it was.
    pub fn way(&self, arrival: Arrival) -> &'static str {
        match arrival {
            Arrival::Label => self.by_label,
            Arrival::LabelMissing => self.label_missing,
            Arrival::NotInPlace => self.not_in_place,
            Arrival::Other => self.other,
        }
    }

    /// The same in the little room of a paper form.
    pub(crate) fn on_paper(&self, arrival: Arrival) -> &'static str {
        if arrival == Arrival::Label { self.paper_label } else { self.paper_word }
    }
}
