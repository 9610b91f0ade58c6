//! The texts of rounds.

use crate::texts::texts;

texts! {
    Texts;
    checks_question: "今天的点检和交接做完了吗？", "Is everything of today looked at?";
    checks_none: "今天没有安排点检：未配置营业时间或今天不营业。", "No rounds today: the site is closed, or its hours are not configured.";
    checks_done: "到时间的都已完成", "What was due is done";
    checks_waiting: "{} 项待完成", "To do now: {}";
    checks_missed: "{} 项到时未完成", "Not done in time: {}";
    checks_today: "今天", "Today";
    checks_past: "以往记录", "Earlier";
    checks_past_none: "还没有记录", "There is none yet";
    check_start: "现在开始一次", "Start one now";
    check_start_hint: "例如客人打球前。已有进行中的，会直接打开。", "Before guests play, for instance. One that is under way is opened.";
    check_start_which: "点检", "Round";
    check_due: "应完成：", "Due";
    check_takes_over: "接班：", "Taken over by";
    check_scheduled: "未到时间", "Scheduled";
    check_open: "待开始", "To begin";
    check_in_progress: "进行中", "Under way";
    check_signed_out: "待接班人签字", "To be taken over";
    check_done: "已完成", "Done";
    check_done_late: "已补做", "Done late";
    check_disputed: "接班人有异议", "Disputed";
    check_missed: "到时未完成", "Missed";
    check_excused: "未做：系统当时未运行", "Excused: hub was off";
    check_form: "逐项确认", "Go through the items";
    check_record: "记录", "Record";
    check_pass: "通过", "Fine";
    check_fail: "异常", "Faulty";
    check_not_applicable: "无法检查", "Cannot check";
    check_unanswered: "未填", "Not answered";
    check_count: "实有数量（应有 {}）", "How many are there (of {})";
    check_counted: "实有 {}，应有 {}", "{} of {}";
    check_note: "说明（无法检查时必填）", "Remark, or why it cannot be checked";
    check_photo: "照片（可选）", "Photo, if you like";
    check_photo_required: "照片（必需）", "Photo, needed";
    check_device_says: "设备自报：", "The device says";
    check_device_fine: "正常", "fine";
    check_device_faulty: "异常", "faulty";
    check_device_unknown: "未知", "unknown";
    check_flag_unknown: "确认通过时设备状态未知，请复核", "Ticked fine while nothing was known of the device: look again";
    check_flag_faulty: "确认通过，但设备自报异常，请复核", "Ticked fine while the device says faulty: look again";
    check_flag_fine: "人工判为异常，但设备自报正常，请复核", "Said to be faulty while the device says fine: look again";
    check_lacking: "还缺这一项", "This one lacks";
    check_save: "保存", "Save";
    check_sign_out: "完成并签字", "Sign";
    check_sign_in: "接班签字", "Sign as taking over";
    check_dispute: "有异议", "I do not agree";
    check_dispute_why: "异议内容", "What is not right";
    check_take: "接班", "Taking over";
    check_take_rule: "请逐项核对后签字；交班人与接班人须为两人。", "Look at each item, then sign. Two different people sign a handover.";
    check_passes_on: "一并移交", "What passes on";
    check_passes_tickets: "未关闭的报修单", "Open tickets";
    check_passes_silences: "仍在静默的告警", "Silences";
    check_passes_refills: "待补货", "To be refilled";
    check_passes_nothing: "没有需要移交的事项", "Nothing else passes on";
    check_signed_by: "交班签字：", "Signed by";
    check_taken_by: "接班签字：", "Taken over by";
    check_made_by: "签字：", "Signed by";
    check_fail_opens: "选“异常”或数量不足，保存时即生成报修单。", "What is faulty, or fewer than expected, opens a ticket when you save.";
    check_kept: "没有网络：已存在本机，恢复后自动发送。", "No connection: kept on this device and sent later.";
    check_unkept: "照片存不下，恢复后请重选。", "There is no room for the photos: choose them again then.";
    check_photos_wait: "照片待发送：{}", "Photos that wait to be sent: {}";
    check_photos_refused: "照片未被接收：{}", "Photos that were not taken: {}";
    check_photos_discard: "丢弃", "Discard";
    check_name: "姓名", "Your name";
    ready_title: "开门准备", "Ready to open";
    ready_yes: "可以开门", "Ready";
    ready_no: "尚未就绪：{} 项", "Not ready: {}";
    check_current: "当前交接与点检", "Current rounds";
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_text_is_empty_and_both_languages_have_the_same_places() {
        crate::texts::hold_for_all(super::ALL);
    }
}
