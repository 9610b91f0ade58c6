//! The texts of by what chats know people.

use super::Lang;

texts! {
    ChatTexts;
    title: "群里 @我", "Mentions in chat groups";
    intro: "由我负责的事在群里通知时会 @我，手机会响。留空则不 @。", "Messages in a group about what I have to see to mention me, so that my phone rings. Left empty: they do not.";
    give: "群提醒账号", "Ids for mentions";
    give_why: "由此人负责的事在群里通知时会 @此人。留空则不 @。", "Messages in a group about what they have to see to mention them. Left empty: they do not.";
    wecom: "企业微信账号", "WeCom user id";
    wecom_rule: "管理后台通讯录里的“账号”，例如 chen.gang", "As the address book of the administration has it, such as chen.gang";
    dingtalk: "钉钉手机号或 userId", "DingTalk number or user id";
    dingtalk_rule: "例如 13800138000，境外号码写成 +1-4155550100", "Such as 13800138000, or +1-4155550100 from abroad";
    feishu: "飞书 Open ID", "Feishu open id";
    feishu_rule: "以 ou_ 开头", "It begins with ou_";
    save: "保存", "Save";
    mistake_wecom: "这不是企业微信账号：只能用字母、数字和 _ - @ .，以字母或数字开头，最多 64 位", "This is no WeCom user id: letters, digits and _ - @ . after a letter or digit, 64 at most.";
    mistake_dingtalk: "这不是手机号，也不是钉钉 userId，例如 13800138000", "This is neither a mobile number nor a DingTalk user id. Write one such as 13800138000.";
    mistake_feishu: "这不是飞书 Open ID：以 ou_ 开头，只含字母、数字和 _ -，最多 64 位", "This is no Feishu open id: ou_ and then letters, digits, _ and -, 64 at most.";
}

impl Lang {
    /// Its texts of by what chats know people.
    pub fn chat_texts(self) -> &'static ChatTexts {
        match self {
            Self::Zh => &ZH,
            Self::En => &EN,
        }
    }
}
