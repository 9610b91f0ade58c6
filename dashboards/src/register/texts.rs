//! The texts of the register.

use std::borrow::Borrow;

use lobby_domain::register::{Deed, Field, Mistake, State, taking::Seen};

use crate::texts::texts;

texts! {
    Texts;
    register: "物品登记", "Register";
    why: "物品、设备在哪里，状况如何，谁动过。", "What belongs to the site, where it is, and what happened to it.";
    choose: "选择案场", "Choose a site";
    count: "{} 项", "Items: {}";
    missing: "{} 项盘点缺失", "Missing since a stock-take: {}";
    waiting: "{} 项移动等您批准", "Moves that wait for you: {}";
    none: "还没有登记物品", "Nothing is registered yet";
    none_there: "这里没有登记物品", "Nothing is registered here";
    all_places: "全部位置", "All places";
    no_place: "未注明位置", "No place given";
    items: "物品", "Items";
    add: "登记物品", "Add an item";
    save: "保存", "Save";
    edit: "修改或换位置", "Change it, or put it elsewhere";
    edit_why: "同一案场内换位置无需批准，请写明原因。", "Within the site nobody has to be asked; say why.";
    reason: "原因", "Reason";
    by: "姓名", "Your name";
    photo: "照片", "Photos";
    photo_add: "添加照片", "Add photos";
    photo_of: "{} 的照片", "Photo of {}";
    no_photo: "还没有照片", "No photo yet";
    write_off: "报废", "Write it off";
    history: "变更记录", "What happened to it";
    number: "资产编号", "Asset number";
    counted: "最近盘点：", "Last counted";
    never_counted: "从未盘点", "Never counted";
    field_name: "名称", "Name";
    field_kind: "类别", "Kind";
    field_quantity: "数量", "Quantity";
    field_place: "位置", "Place";
    field_state: "状态", "State";
    field_post: "责任岗位", "Post that answers for it";
    field_serial: "序列号", "Serial number";
    field_value: "价值（元）", "Value in yuan";
    field_acquired: "购入日期", "Acquired on";
    field_device: "对应的监测设备", "Monitored device";
    field_note: "备注", "Note";
    unset: "无", "none";
    in_use: "在用", "In use";
    in_store: "在库", "In store";
    in_repair: "待修", "In repair";
    is_missing: "缺失", "Missing";
    is_out: "已移出", "Out";
    written_off: "已报废", "Written off";
    did_add: "登记", "Entered";
    did_edit: "修改", "Changed";
    did_photo: "添加照片", "Photo added";
    did_write_off: "报废", "Written off";
    did_count: "盘点", "Counted";
    did_move: "移动", "Moved";
    to_device: "设备页", "The device's page";
    to_label: "打印标签", "Print its label";
    to_csv: "导出 CSV", "As CSV";
    to_xlsx: "导出 XLSX", "As XLSX";
    labels: "标签", "Labels";
    labels_items: "打印物品标签", "Print the labels of items";
    labels_blank: "打印空白标签", "Print blank labels";
    labels_how_many: "数量（最多 105）", "How many (105 at most)";
    labels_why: "空白标签贴上后扫码，再绑定物品或设备。", "Stick a blank label on, scan it, then say what it is on.";
    bind_title: "标签 {}", "Label {}";
    bind_free: "还没有绑定", "It is on nothing yet";
    bind_void: "已作废", "It is void";
    bind_to: "已绑定：", "It is on";
    bind: "绑定", "Bind it";
    bind_what: "物品或设备", "Item or device";
    bind_new: "登记新物品并绑定", "Enter a new item and bind it";
    bind_reason: "原因（改绑、作废必填）", "Reason, if it is bound to something else or void";
    void: "作废", "Void it";
    takes: "盘点", "Stock-takes";
    take: "盘点", "Stock-take";
    take_start: "开始盘点", "Begin a stock-take";
    take_where: "范围", "Of what";
    take_all: "整个案场", "The whole site";
    take_due: "该盘点了：最近一次盘点已超过 {} 天", "A stock-take is due: the last one is older than {} days";
    take_never: "还没有盘点过", "There was no stock-take yet";
    take_open: "进行中", "Under way";
    take_closed: "已完成，待经理查阅", "Closed, to be seen by the manager";
    take_seen: "经理已查阅", "Seen by the manager";
    take_form: "逐项核对", "Look for each item";
    take_should: "应有 {}，位置：{}", "{} at: {}";
    take_count: "实有数量", "How many there are";
    take_elsewhere: "实际位置（在别处时）", "Where it is, if elsewhere";
    take_note: "差异说明", "Explanation, if it differs";
    take_lacks: "还缺答案或说明", "An answer or an explanation lacks";
    take_close: "完成盘点", "Close the stock-take";
    take_close_why: "完成后，登记按盘点结果更新；缺失、损坏会报告上级。", "The register then says what was seen; what is missing or damaged is reported to the superior.";
    take_see: "已查阅", "I have seen it";
    take_result: "结果", "Result";
    take_no_differences: "账实相符", "Everything is as the register says";
    take_differences: "{} 项有差异", "Differences: {}";
    take_tick: "盘点：在这里", "Stock-take: it is here";
    take_unanswered: "未核对", "Not looked for";
    found: "在位", "Found";
    elsewhere: "在别处", "Elsewhere";
    damaged: "损坏", "Damaged";
    not_found: "缺失", "Missing";
    moves: "移入移出", "Moves";
    moves_why: "移出或移回案场须经理批准；执行后登记才更新。", "The manager consents to what leaves the site or comes back; the register changes when it was carried out.";
    moves_none: "没有移动申请", "Nobody has asked for a move";
    move_ask: "申请移出", "Ask to move it out";
    move_back: "申请移回", "Ask to bring it back";
    move_place: "去向", "Where to";
    move_wanted: "日期（可选）", "On which day, if it matters";
    move_send: "提交申请", "Ask the manager";
    move_out_of: "移出 {} 件 → {}", "{} out to {}";
    move_back_to: "移回 {} 件 → {}", "{} back to {}";
    move_asked: "待经理批准", "To be approved";
    move_approved: "已批准，待执行", "Approved, to be carried out";
    move_refused: "未批准", "Refused";
    move_done: "已执行", "Carried out";
    move_overdue: "已超过 3 天", "Open for more than 3 days";
    move_approve: "批准", "Approve";
    move_refuse: "不批准", "Refuse";
    move_confirm: "已执行", "It was carried out";
    move_own: "本人申请须由他人批准", "Somebody else has to consent to what you asked for";
    label_history: "标签记录", "Its labels";
    label_on: "贴在这里", "Stuck on it";
    label_off: "改贴到 {}", "Taken off, and stuck on {}";
    label_void: "已作废", "Void";
    move_elsewhere: "移到其他案场的，到货后请在那里另行登记。", "What goes to another site is entered in the register there when it arrives.";
    guest: "如有损坏或遗失，请在这里告诉我们。", "If it is damaged or lost, please tell us here.";
    guest_report: "报告损坏或遗失", "Report damage or loss";
    guest_told: "已记下，会转告现场主管。", "It is noted, and the supervisor will be told.";
    guest_back: "返回", "Back";
    import: "导入物品", "Import items";
    import_why: "粘贴 CSV：首行为列名（与导出相同），编号为空即新物品；先预览，全部无误才导入。", "Paste CSV with the column names of an export; a line without a number is a new item. Look first: all of it is taken over, or nothing.";
    import_table: "表格", "The table";
    import_look: "预览", "Look first";
    import_do: "导入", "Import it";
    import_new: "新物品", "New";
    import_changes: "{} 处修改", "Changes: {}";
    import_same: "没有变化", "Nothing would change";
    wrong_number: "“{}”不是资产编号", "`{}` is no asset number";
    wrong_unknown: "没有编号 {} 的物品；新物品请留空", "There is no item {}; leave it empty for a new one";
    wrong_twice: "编号 {} 出现两次", "{} is there twice";
    wrong_head: "首行须有列名，至少有“名称”", "The first line names the columns, at least `Name`";
    wrong_gone: "已报废或已移出，不能这样改", "It was written off or moved out: it is not changed this way";
    wrong_csv: "不是 CSV：{}", "This is no CSV: {}";
    wrong_many: "一次最多 {} 行", "{} lines at most";
    wrong_name: "请填写名称", "Say what people call it";
    wrong_long: "“{}”太长", "`{}` is too long";
    wrong_quantity: "数量须为 0 到 100000 的整数", "A quantity is a whole number from 0 to 100000";
    wrong_state: "不能选这个状态", "This state cannot be chosen";
    wrong_value: "价值写成 1280 或 99.50", "A value is written like 1280 or 99.50";
    wrong_day: "日期写成 2026-12-01", "A day is written like 2026-12-01";
    wrong_device: "请从列表选择设备", "Choose a device of the list";
}

impl Texts {
    /// What a field is called.
    pub fn field(&self, field: impl Borrow<Field>) -> &'static str {
        match field.borrow() {
            Field::Name => self.field_name,
            Field::Kind => self.field_kind,
            Field::Quantity => self.field_quantity,
            Field::Place => self.field_place,
            Field::State => self.field_state,
            Field::Post => self.field_post,
            Field::Serial => self.field_serial,
            Field::Value => self.field_value,
            Field::Acquired => self.field_acquired,
            Field::Device => self.field_device,
            Field::Note => self.field_note,
        }
    }

    /// What a state is called.
    pub fn state(&self, state: impl Borrow<State>) -> &'static str {
        match state.borrow() {
            State::InUse => self.in_use,
            State::InStore => self.in_store,
            State::InRepair => self.in_repair,
            State::Missing => self.is_missing,
            State::Out => self.is_out,
            State::WrittenOff => self.written_off,
        }
    }

    /// What happened, in words.
    pub fn deed(&self, deed: impl Borrow<Deed>) -> &'static str {
        match deed.borrow() {
            Deed::Add => self.did_add,
            Deed::Edit => self.did_edit,
            Deed::Photo => self.did_photo,
            Deed::WriteOff => self.did_write_off,
            Deed::Count => self.did_count,
            Deed::Move => self.did_move,
        }
    }

    /// What was seen, in words.
    pub fn seen(&self, seen: impl Borrow<Seen>) -> &'static str {
        match seen.borrow() {
            Seen::Found => self.found,
            Seen::Elsewhere => self.elsewhere,
            Seen::Damaged => self.damaged,
            Seen::Missing => self.not_found,
        }
    }

    /// Why a field does not hold what was typed.
    pub fn mistake(&self, mistake: &Mistake) -> String {
        match mistake {
            Mistake::NoName => self.wrong_name.to_owned(),
            Mistake::Long(field) => crate::texts::fill(self.wrong_long, self.field(*field)),
            Mistake::Quantity => self.wrong_quantity.to_owned(),
            Mistake::State => self.wrong_state.to_owned(),
            Mistake::Value => self.wrong_value.to_owned(),
            Mistake::Day => self.wrong_day.to_owned(),
            Mistake::Device => self.wrong_device.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_text_is_empty_and_both_languages_have_the_same_places() {
        crate::texts::hold_for_all(super::ALL);
    }
}
