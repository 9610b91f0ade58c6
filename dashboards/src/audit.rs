//! The audit log: what people and programs have changed.

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    texts::Texts,
    time::When,
};

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number.
    pub no: i64,
    /// When.
    pub at: When,
    /// Who, by name; empty if they gave none.
    pub actor: String,
    /// `person`, `program`, `here` or `command`.
    pub kind: String,
    /// The site; none for what is of all sites or of none.
    pub site: Option<String>,
    /// What was done, such as `ticket.accept`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The page of that, if it has one.
    pub href: Option<String>,
    /// What was there before.
    pub before: Option<String>,
    /// What is there from then on.
    pub after: Option<String>,
}

impl AuditLine {
    fn kind<'a>(&'a self, t: &'a Texts) -> &'a str {
        match self.kind.as_str() {
            "person" => t.actor_person,
            "program" => t.actor_program,
            "guest" => t.source_guest,
            "here" => t.actor_here,
            "command" => t.actor_command,
            other => other,
        }
    }

    /// What was done, in words; as it stands in the log if this version has none for it.
    fn action<'a>(&'a self, t: &'a Texts) -> &'a str {
        match self.action.as_str() {
            "ticket.assign" => t.audit_ticket_assign,
            "ticket.accept" => t.audit_ticket_accept,
            "ticket.start" => t.audit_ticket_start,
            "ticket.wait" => t.audit_ticket_wait,
            "ticket.resume" => t.audit_ticket_resume,
            "ticket.finish" => t.audit_ticket_finish,
            "ticket.confirm" => t.audit_ticket_confirm,
            "ticket.reopen" => t.audit_ticket_reopen,
            "ticket.priority" => t.audit_ticket_priority,
            "ticket.escalate" => t.audit_ticket_escalate,
            "ticket.comment" => t.audit_ticket_comment,
            "ticket.reject" => t.audit_ticket_reject,
            "ticket.photo" => t.audit_ticket_photo,
            "report.fault" => t.audit_report_fault,
            "report.damage" => t.audit_report_damage,
            "report.loss" => t.audit_report_loss,
            "alert.acknowledge" => t.audit_alert_acknowledge,
            "alert.clear" => t.audit_alert_clear,
            "silence.make" => t.audit_silence_make,
            "silence.change" => t.audit_silence_change,
            "silence.end" => t.audit_silence_end,
            "maintenance.make" => t.audit_maintenance_make,
            "maintenance.change" => t.audit_maintenance_change,
            "maintenance.end" => t.audit_maintenance_end,
            "device.life" => t.audit_device_life,
            "round.start" => t.audit_round_start,
            "round.answer" => t.audit_round_answer,
            "round.sign_out" => t.audit_round_sign_out,
            "round.sign_in" => t.audit_round_sign_in,
            "round.dispute" => t.audit_round_dispute,
            "roster.import" => t.audit_roster_import,
            "person.enter" => t.audit_person_enter,
            "person.set_up" => t.audit_person_set_up,
            "person.link" => t.audit_person_link,
            "person.disable" => t.audit_person_disable,
            "person.grant" => t.audit_person_grant,
            "person.revoke" => t.audit_person_revoke,
            "person.chat_ids" => t.audit_person_chat_ids,
            "person.erase" => t.audit_person_erase,
            "person.enable" => t.audit_person_enable,
            "password.choose" => t.audit_password_choose,
            "password.change" => t.audit_password_change,
            "session.begin" => t.audit_session_begin,
            "session.end" => t.audit_session_end,
            "session.end_others" => t.audit_session_end_others,
            "token.create" => t.audit_token_create,
            "token.revoke" => t.audit_token_revoke,
            "contact.ask" => t.audit_contact_ask,
            "contact.confirm" => t.audit_contact_confirm,
            "contact.remove" => t.audit_contact_remove,
            "preference.set" => t.audit_preference_set,
            "message.resend" => t.audit_message_resend,
            other => other,
        }
    }
}

/// `/audit`: what people and programs have changed, the newest first.
#[derive(Debug, Clone, Template)]
#[template(path = "audit.html", blocks = ["main", "lamp"])]
pub struct AuditPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The entries of this page.
    pub lines: Vec<AuditLine>,
    /// By whom alone, if not by all.
    pub actor: Option<String>,
    /// Where the list goes on.
    pub next: Option<String>,
}

page!(AuditPage);
