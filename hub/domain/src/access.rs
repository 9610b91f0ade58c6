//! Who may do what: roles, and what a request asks of whoever makes it.
//!
//! ```text
//! caller ─► one of its roles may do it? ─ no ─► refused, and told which roles may
//!              │ yes
//!              ▼
//!           those roles are held at other sites alone? ─ yes ─► as if it were not there
//! ```

mod held;

use std::{fmt, str::FromStr};

use lobby_contract::SiteId;
use serde::Serialize;

pub use self::held::{Held, may_give};
use crate::ticket::Action;

/// What somebody is, by which it is decided what they may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks only: a wall display, a report.
    Viewer,
    /// 礼宾: the entrance, its display and its guests.
    Concierge,
    /// 样板房: the show flat and its shoe covers.
    Showflat,
    /// 接待: the recreation area.
    Reception,
    /// 水吧: the ground floor's patrols.
    Waterbar,
    /// 样板房通道: the passage and the lift lobby, with its television.
    Passage,
    /// 物业咨询台: questions of guests.
    Enquiry,
    /// 工程: repairs.
    Engineering,
    /// 领班: the direct superior of the posts of a shift, who may stand in for each of them.
    Leader,
    /// 主管: the superior of posts.
    Supervisor,
    /// 经理: the superior of a site.
    Manager,
    /// Runs the product itself.
    Admin,
}

/// What is asked of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Nothing: anybody who reaches the hub.
    Nothing,
    /// To read what the hub knows.
    Read,
    /// To say that one has taken notice of an alert, and to confirm a repair or say that it still fails: any post.
    Answer,
    /// To work on a ticket.
    Repair,
    /// To keep alerts quiet for a time.
    Restrain,
    /// To decide about equipment: its life, and that a fault is gone.
    Equip,
    /// To say who is on duty.
    Roster,
    /// To enter what goes into stock and out of it.
    Stock,
    /// To keep the register of goods and equipment, its labels and stock-takes, and to ask for moves.
    Register,
    /// To consent to moves into a site and out of it.
    Consent,
    /// To see how the duties of one's own post are kept.
    OwnDuties,
    /// To see how the duties of all posts are kept.
    Oversee,
    /// To see and change how the product itself does.
    Operate,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: [Self; 12] = [
        Self::Viewer,
        Self::Concierge,
        Self::Showflat,
        Self::Reception,
        Self::Waterbar,
        Self::Passage,
        Self::Enquiry,
        Self::Engineering,
        Self::Leader,
        Self::Supervisor,
        Self::Manager,
        Self::Admin,
    ];

    /// As it stands on the command line, in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Concierge => "concierge",
            Self::Showflat => "showflat",
            Self::Reception => "reception",
            Self::Waterbar => "waterbar",
            Self::Passage => "passage",
            Self::Enquiry => "enquiry",
            Self::Engineering => "engineering",
            Self::Leader => "leader",
            Self::Supervisor => "supervisor",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Whether somebody of this role may do what is asked. What is not named here is refused.
    pub const fn may(self, need: Need) -> bool {
        match need {
            Need::Nothing | Need::Read => true,
            Need::Answer | Need::OwnDuties => !matches!(self, Self::Viewer),
            Need::Repair | Need::Restrain | Need::Equip => {
                matches!(self, Self::Engineering | Self::Supervisor | Self::Manager | Self::Admin)
            }
            Need::Stock => {
                matches!(self, Self::Showflat | Self::Leader | Self::Supervisor | Self::Manager | Self::Admin)
            }
            Need::Roster | Need::Oversee => matches!(self, Self::Supervisor | Self::Manager | Self::Admin),
            Need::Register => matches!(
                self,
                Self::Concierge
                    | Self::Showflat
                    | Self::Reception
                    | Self::Leader
                    | Self::Supervisor
                    | Self::Manager
                    | Self::Admin
            ),
            Need::Consent | Need::Operate => matches!(self, Self::Manager | Self::Admin),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no role of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no role `{0}`: use viewer, concierge, showflat, reception, waterbar, passage, enquiry, engineering, leader, supervisor, manager or admin"
)]
pub struct NoSuchRole(pub Box<str>);

impl FromStr for Role {
    type Err = NoSuchRole;

    fn from_str(text: &str) -> Result<Self, NoSuchRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| NoSuchRole(text.into()))
    }
}

impl Action {
    /// What whoever takes this step of a ticket must be allowed to do.
    pub const fn need(self) -> Need {
        match self {
            Self::Assign
            | Self::Accept
            | Self::Start
            | Self::Wait(_)
            | Self::Resume
            | Self::Finish
            | Self::Reject(_) => Need::Repair,
            Self::Confirm | Self::Reopen => Need::Answer,
        }
    }
}

impl Need {
    /// The roles that may do it, for whoever may not.
    pub fn roles(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| role.may(self))
    }
}

/// What somebody was granted: a role, at one site or at all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The only site it is for; all if there is none.
    pub site: Option<SiteId>,
}

impl Grant {
    /// Whether whoever has it may let somebody have `other`: who runs things, nothing beyond what they have.
    pub fn may_give(&self, other: &Self) -> bool {
        let within = self.site.is_none() || self.site == other.site;
        self.role.may(Need::Operate) && other.role <= self.role && within
    }

    /// Whether it reaches a site.
    pub fn reaches(&self, site: &SiteId) -> bool {
        self.site.as_ref().is_none_or(|only| only == site)
    }
}

/// Such as `manager at hz-01`, and `viewer at all sites`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.site {
            Some(site) => write!(f, "{} at {site}", self.role),
            None => write!(f, "{} at all sites", self.role),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        Need::Nothing,
        "viewer concierge showflat reception waterbar passage enquiry engineering leader supervisor manager admin"
    )]
    #[case(
        Need::Read,
        "viewer concierge showflat reception waterbar passage enquiry engineering leader supervisor manager admin"
    )]
    #[case(
        Need::Answer,
        "concierge showflat reception waterbar passage enquiry engineering leader supervisor manager admin"
    )]
    #[case(
        Need::OwnDuties,
        "concierge showflat reception waterbar passage enquiry engineering leader supervisor manager admin"
    )]
    #[case(Need::Repair, "engineering supervisor manager admin")]
    #[case(Need::Restrain, "engineering supervisor manager admin")]
    #[case(Need::Equip, "engineering supervisor manager admin")]
    #[case(Need::Roster, "supervisor manager admin")]
    #[case(Need::Oversee, "supervisor manager admin")]
    #[case(Need::Stock, "showflat leader supervisor manager admin")]
    #[case(Need::Register, "concierge showflat reception leader supervisor manager admin")]
    #[case(Need::Consent, "manager admin")]
    #[case(Need::Operate, "manager admin")]
    fn who_may_do_what(#[case] need: Need, #[case] roles: &str) {
        let may: Vec<&str> = need.roles().map(Role::as_str).collect();
        assert_eq!(may.join(" "), roles);
    }

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(NoSuchRole("root".into())));
    }

    #[test]
    fn a_grant_for_one_site_reaches_no_other() {
        let (ours, theirs): (SiteId, SiteId) = ("hz-01".parse().unwrap(), "hz-02".parse().unwrap());
        let of_one = Grant { role: Role::Admin, site: Some(ours.clone()) };
        assert!(of_one.reaches(&ours) && !of_one.reaches(&theirs));
        assert!(Grant { role: Role::Viewer, site: None }.reaches(&theirs));
    }

    #[rstest]
    #[case::an_administrator_gives_anything((Role::Admin, None), (Role::Admin, None), true)]
    #[case::at_any_site((Role::Admin, None), (Role::Manager, Some("hz-02")), true)]
    #[case::a_manager_no_more_than_theirs((Role::Manager, Some("hz-01")), (Role::Admin, Some("hz-01")), false)]
    #[case::a_manager_at_their_site((Role::Manager, Some("hz-01")), (Role::Manager, Some("hz-01")), true)]
    #[case::and_at_no_other((Role::Manager, Some("hz-01")), (Role::Viewer, Some("hz-02")), false)]
    #[case::nor_at_all_of_them((Role::Admin, Some("hz-01")), (Role::Viewer, None), false)]
    #[case::a_manager_makes_shift_leaders((Role::Manager, Some("hz-01")), (Role::Leader, Some("hz-01")), true)]
    #[case::a_supervisor_gives_nothing((Role::Supervisor, None), (Role::Viewer, None), false)]
    fn nobody_gives_more_than_they_have(
        #[case] own: (Role, Option<&str>),
        #[case] other: (Role, Option<&str>),
        #[case] may: bool,
    ) {
        let grant =
            |(role, site): (Role, Option<&str>)| Grant { role, site: site.map(|site| site.parse().expect("a name")) };
        assert_eq!(grant(own).may_give(&grant(other)), may);
    }
}
