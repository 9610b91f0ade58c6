//! The texts of how people are told themselves.

texts! {
    PersonalTexts;
    title: "通知我本人", "Messages to me";
    none: "本系统未开通个人邮件。管理员可在配置中给一个 smtp 通道加上 personal = true。", "This hub sends no personal mail. An administrator can allow it: a channel of kind smtp with personal = true.";
    intro: "我当班的岗位收到的通知，同时发到我的邮箱。", "What my post is told while I am on duty is sent to me too.";
    address: "邮箱", "E-mail address";
    address_now: "发送到 {}", "Sent to {}";
    address_asked: "验证码已发到 {}，输入后才会启用", "A code was sent to {}. It is used once the code is entered.";
    address_new: "更换邮箱", "Another address";
    address_rule: "会先收到一个验证码", "A code is sent there first";
    ask: "发送验证码", "Send a code";
    code: "验证码", "Code";
    code_rule: "8 位数字，15 分钟内有效", "8 digits, good for 15 minutes";
    confirm: "确认邮箱", "Confirm";
    remove: "不再发给我", "Send me nothing more";
    refused: "最近一封邮件没有送达：{}", "The last message did not arrive: {}";
    preferences: "我要收到什么", "What I want to be told";
    lang: "语言", "Language";
    lang_usual: "与系统相同", "As the hub has it";
    least: "最低级别", "Nothing less grave than";
    held_only: "只要由我负责的", "Only what I have to see to";
    quiet: "免打扰时段", "Quiet hours";
    quiet_rule: "紧急和 P1 照发；其余到时合成一封，已恢复的不再发。两项都留空即不设。", "Critical and P1 come at once. The rest comes as one message at the end, without what is over. Leave both empty for none.";
    quiet_from: "开始", "From";
    quiet_until: "结束", "Until";
    quiet_days: "从哪几天开始", "Begin on";
    day_1: "周一", "Monday";
    day_2: "周二", "Tuesday";
    day_3: "周三", "Wednesday";
    day_4: "周四", "Thursday";
    day_5: "周五", "Friday";
    day_6: "周六", "Saturday";
    day_7: "周日", "Sunday";
    save: "保存", "Save";
    severity_warning: "一般", "Warning";
    mistake_address: "这不是邮箱地址，例如 li@mail.cn", "This is no e-mail address. Write one such as li@mail.cn.";
    mistake_often: "验证码发得太多，请 {} 分钟后再试", "Too many codes were sent. Ask again in {} min.";
    mistake_soon: "邮件服务器正忙，请稍后再试", "The mail server takes no more just now. Try again in a moment.";
    mistake_refused: "邮件服务器没有接收：{}", "The mail server did not take it: {}";
    mistake_code: "验证码不对或已失效，请重新发送", "This is not the last code, or it is no longer good. Ask for a new one.";
    mistake_time: "时间写成 22:00，开始和结束都要填", "Write both times, such as 22:00.";
    mistake_empty: "开始和结束不能相同", "They must not end when they begin.";
    mistake_day: "至少选一天", "Choose at least one day.";
    why_unwanted: "本人选择不接收", "they want to be told of less";
    why_moved: "已不在该案场", "they work elsewhere now";
    why_left: "已不在该岗位", "they are no longer at that post";
}

impl PersonalTexts {
    /// The days from Monday.
    pub fn days(&self) -> [&'static str; 7] {
        [self.day_1, self.day_2, self.day_3, self.day_4, self.day_5, self.day_6, self.day_7]
    }
}
