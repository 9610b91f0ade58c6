//! By what chats know somebody: a part of their account page and of the page of people.

use lobby_domain::notice::Chat;

use crate::texts::ChatTexts;

/// The field of one chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatField {
    /// The chat.
    pub chat: Chat,
    /// What stands in it: what is kept, or what was typed and not taken; may be empty.
    pub value: String,
    /// Whether what was typed is no id of this chat.
    pub mistaken: bool,
}

/// By what the chats know somebody. Without a field nothing is shown: no chat has a channel, or it is not the reader's to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatPart {
    /// The chats that have a channel, or of which an id is kept.
    pub fields: Vec<ChatField>,
}

impl ChatPart {
    /// Whether something that was typed was not taken.
    pub(crate) fn is_mistaken(&self) -> bool {
        self.fields.iter().any(|field| field.mistaken)
    }
}

impl ChatField {
    pub(crate) const fn name(&self) -> &'static str {
        self.chat.as_str()
    }

    pub(crate) const fn label(&self, c: &ChatTexts) -> &'static str {
        match self.chat {
            Chat::Wecom => c.wecom,
            Chat::Dingtalk => c.dingtalk,
            Chat::Feishu => c.feishu,
        }
    }

    pub(crate) const fn rule(&self, c: &ChatTexts) -> &'static str {
        match self.chat {
            Chat::Wecom => c.wecom_rule,
            Chat::Dingtalk => c.dingtalk_rule,
            Chat::Feishu => c.feishu_rule,
        }
    }

    pub(crate) const fn mistake(&self, c: &ChatTexts) -> &'static str {
        match self.chat {
            Chat::Wecom => c.mistake_wecom,
            Chat::Dingtalk => c.mistake_dingtalk,
            Chat::Feishu => c.mistake_feishu,
        }
    }
}
