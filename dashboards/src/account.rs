//! Signing in, choosing a password, one's own sessions, and the people who may sign in.

use askama::Template;
use lobby_domain::access::Role;

use crate::{
    chat::ChatPart,
    chrome::{Chrome, page},
    personal::PersonalPart,
    restraints::SelectOption,
    texts::{ChatTexts, GrantTexts, PersonalTexts, Texts, filled},
    time::When,
};

/// Why somebody is still at the form that they sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// Name or password is wrong.
    WrongPassword,
    /// Too many wrong passwords; so many minutes are to be waited.
    Wait(i64),
    /// Too many sign in at once.
    Busy,
    /// The name to sign in with is none.
    Login,
    /// The name is none.
    Name,
    /// The password is too short.
    ShortPassword,
    /// The password is easily guessed.
    WeakPassword,
    /// The two passwords differ.
    Differ,
    /// Somebody else signs in with that name.
    Taken,
    /// The only administrator of all sites cannot be disabled.
    LastAdmin,
    /// They were erased, for good.
    Erased,
    /// It is all that they hold.
    OnlyGrant,
    /// What was typed to confirm that somebody is to be erased is not what they sign in with.
    OtherLogin,
}

impl Mistake {
    fn words(&self, t: &Texts) -> String {
        match self {
            Self::OnlyGrant => t.mistake_only_grant.to_owned(),
            Self::WrongPassword => t.mistake_wrong_password.to_owned(),
            Self::Wait(minutes) => filled(t.mistake_wait, minutes),
            Self::Busy => t.mistake_busy.to_owned(),
            Self::Login => t.mistake_login.to_owned(),
            Self::Name => t.mistake_name.to_owned(),
            Self::ShortPassword => t.mistake_short_password.to_owned(),
            Self::WeakPassword => t.mistake_weak_password.to_owned(),
            Self::Differ => t.mistake_differ.to_owned(),
            Self::Taken => t.mistake_taken.to_owned(),
            Self::LastAdmin => t.mistake_last_admin.to_owned(),
            Self::Erased => t.mistake_erased.to_owned(),
            Self::OtherLogin => t.mistake_other_login.to_owned(),
        }
    }
}

/// A role and where it is held, such as `Manager · Lakeside One`.
pub(crate) fn held_words((role, site): (Role, Option<&str>), t: &Texts) -> String {
    format!("{} {} {}", role_word(role, t), t.separator, site.unwrap_or(t.all_sites))
}

/// What people call a role.
pub(crate) fn role_word(role: Role, t: &Texts) -> &'static str {
    match role {
        Role::Viewer => t.role_viewer,
        Role::Concierge => t.role_concierge,
        Role::Showflat => t.role_showflat,
        Role::Reception => t.role_reception,
        Role::Waterbar => t.role_waterbar,
        Role::Passage => t.role_passage,
        Role::Enquiry => t.role_enquiry,
        Role::Engineering => t.role_engineering,
        Role::Leader => t.role_leader,
        Role::Supervisor => t.role_supervisor,
        Role::Manager => t.role_manager,
        Role::Admin => t.role_admin,
    }
}

/// `/sign-in`.
#[derive(Debug, Clone, Template)]
#[template(path = "sign_in.html", blocks = ["main", "lamp"])]
pub struct SignInPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// What was typed before.
    pub login: String,
    /// Where to go on.
    pub back: String,
    /// What was wrong with that.
    pub mistake: Option<Mistake>,
    /// Whether nobody can sign in yet, and the link of the first administrator is in the data folder.
    pub is_new: bool,
}

page!(SignInPage);

/// `/setup/{link}`: a password is chosen.
#[derive(Debug, Clone, Template)]
#[template(path = "setup.html", blocks = ["main", "lamp"])]
pub struct SetupPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Whose, by what they sign in with and their name; the first administrator says both.
    pub person: Option<(String, String)>,
    /// What the first administrator typed before.
    pub typed: (String, String),
    /// What was wrong with that.
    pub mistake: Option<Mistake>,
}

page!(SetupPage);

/// Where somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLine {
    /// Names it in the form.
    pub id: String,
    /// What the browser calls itself.
    pub browser: String,
    /// When it was last used.
    pub used: When,
    /// When it ends by itself.
    pub ends: When,
    /// Whether it is this very one.
    pub is_this: bool,
}

/// `/account`: one's own.
#[derive(Debug, Clone, Template)]
#[template(path = "account.html", blocks = ["main", "lamp"])]
pub struct AccountPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// One's name.
    pub name: String,
    /// What one signs in with.
    pub login: String,
    /// What one is, and where; all sites if there is none.
    pub posts: Vec<(Role, Option<String>)>,
    /// Where one is signed in.
    pub sessions: Vec<SessionLine>,
    /// How they are told themselves; `None` where nobody is.
    pub personal: Option<PersonalPart>,
    /// By what the chats know them.
    pub chats: ChatPart,
    /// What was wrong with the new password.
    pub mistake: Option<Mistake>,
}

page!(AccountPage);

impl AccountPage {
    fn posts(&self) -> Vec<String> {
        let t = self.chrome.t();
        self.posts.iter().map(|(role, site)| held_words((*role, site.as_deref()), t)).collect()
    }

    fn m(&self) -> &'static PersonalTexts {
        self.chrome.lang.personal_texts()
    }

    fn c(&self) -> &'static ChatTexts {
        self.chrome.lang.chat_texts()
    }
}

/// Whether somebody can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonState {
    /// They can.
    Active,
    /// They have not chosen a password yet.
    Invited,
    /// They may no longer.
    Disabled,
    /// Nothing names them any more.
    Erased,
}

impl PersonState {
    fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Active => t.person_active,
            Self::Invited => t.person_invited,
            Self::Disabled => t.person_disabled,
            Self::Erased => t.person_erased,
        }
    }
}

/// A role that somebody in the list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLine {
    /// The role.
    pub role: Role,
    /// The site as forms have it, and as people call it; all of them if there is none.
    pub site: Option<(String, String)>,
    /// Whether the reader may take it away.
    pub may_take: bool,
}

impl HeldLine {
    fn role_word(&self, t: &Texts) -> &'static str {
        role_word(self.role, t)
    }

    fn site_name<'a>(&'a self, t: &'a Texts) -> &'a str {
        self.site.as_ref().map_or(t.all_sites, |(_, name)| name)
    }

    fn site_id(&self) -> &str {
        self.site.as_ref().map_or("", |(id, _)| id)
    }
}

/// Somebody in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonLine {
    /// Names them in the forms.
    pub id: String,
    /// Their name.
    pub name: String,
    /// What they sign in with.
    pub login: String,
    /// What they hold that is the reader's to give.
    pub held: Vec<HeldLine>,
    /// Whether they hold something that is not.
    pub holds_more: bool,
    /// By what the chats know them, where that is the reader's to change.
    pub chats: ChatPart,
    /// Whether they can sign in.
    pub state: PersonState,
}

impl PersonLine {
    /// What tells the fields of their forms from those of others.
    fn field_end(&self) -> String {
        format!("-{}", self.id)
    }
}

/// `/people`: who may sign in.
#[derive(Debug, Clone, Template)]
#[template(path = "people.html", blocks = ["main", "lamp"])]
pub struct PeoplePage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Everybody.
    pub people: Vec<PersonLine>,
    /// The roles that may be given.
    pub roles: Vec<Role>,
    /// The sites that may be given; empty if there is no choice.
    pub sites: Vec<SelectOption>,
    /// Whether somebody may be entered for all sites.
    pub all_sites: bool,
    /// Whether the reader may erase somebody.
    pub may_erase: bool,
    /// Whose link was just made, and the link: it is shown once.
    pub link: Option<(String, String)>,
    /// What was typed before: name, and what they sign in with.
    pub typed: (String, String),
    /// What was wrong with that.
    pub mistake: Option<Mistake>,
}

page!(PeoplePage);

impl PeoplePage {
    fn g(&self) -> &'static GrantTexts {
        self.chrome.lang.grant_texts()
    }

    fn c(&self) -> &'static ChatTexts {
        self.chrome.lang.chat_texts()
    }

    fn named_roles(&self) -> impl Iterator<Item = (Role, &'static str)> {
        let t = self.chrome.t();
        self.roles.iter().map(move |role| (*role, role_word(*role, t)))
    }
}
