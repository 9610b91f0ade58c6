//! The texts of what was not taken.

use crate::texts::texts;

texts! {
    Texts;
    not_saved: "没有保存，请改正后重新提交", "Nothing was saved: put this right and send it again";
    out_of_date: "没有保存：页面已经过时", "Nothing was saved: something has changed since the page was opened";
    typed: "您刚才填的：", "What you typed:";
    reason: "请写明原因，一行，不超过 200 字", "Say why, in one line of at most 200 characters";
    place: "请写明去向，一行，不超过 60 字", "Say where to, in one line of at most 60 characters";
    pieces: "数量须至少为 1，且不超过现有数量", "At least one piece goes, and no more than there are";
    no_photo: "请选择照片", "Choose a photo";
    taken: "物品 {} 已对应这台设备", "Item {} is this device already";
    stale: "有人刚改过这件物品。您没有改的栏目已按最新内容显示，请核对后再保存。", "Somebody has changed the item meanwhile. What you did not touch shows what it says now: look at it, then save.";
    gone: "这件物品已报废", "It was written off";
    way: "这件物品现在不能这样移动", "The item cannot be moved that way now";
    changed: "有人刚改为“{}”", "Somebody has made this `{}` meanwhile";
    emptied: "有人刚清空了这一栏", "Somebody has emptied this meanwhile";
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_text_is_empty_and_both_languages_have_the_same_places() {
        crate::texts::hold_for_all(super::ALL);
    }
}
