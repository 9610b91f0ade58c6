//! What somebody holds who was granted several roles: which of them count for a request, and where.

use std::{collections::BTreeSet, sync::Arc};

use lobby_contract::SiteId;

use super::{Grant, Need, Role};

/// All that somebody was granted, as far as it counts for one request.
///
/// What may do what is asked counts, and nothing else: a viewer of all sites who is manager of one operates that one. Once it is known of
/// which site something is, only what reaches that site decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    grants: Arc<[Grant]>,
    need: Need,
    here: Option<SiteId>,
}

impl Held {
    /// These grants, of which all count that may read.
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Self {
        Self { grants: grants.into_iter().collect(), need: Need::Read, here: None }
    }

    /// The same, of which those count that may do this.
    #[must_use]
    pub fn asking(self, need: Need) -> Self {
        Self { need, ..self }
    }

    /// The same at a site.
    #[must_use]
    pub fn at(self, site: SiteId) -> Self {
        Self { here: Some(site), ..self }
    }

    /// The site that is asked about, once it is known.
    pub const fn here(&self) -> Option<&SiteId> {
        self.here.as_ref()
    }

    /// Every grant, whatever counts.
    pub fn all(&self) -> &[Grant] {
        &self.grants
    }

    /// Those that may do what is asked.
    fn counting(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(|grant| grant.role.may(self.need))
    }

    /// Whether any of them may do what is asked, somewhere.
    pub fn is_enough(&self) -> bool {
        self.counting().next().is_some()
    }

    /// Whether what is asked may be done at a site.
    pub fn reaches(&self, site: &SiteId) -> bool {
        self.counting().any(|grant| grant.reaches(site))
    }

    /// Whether anything at all is held at a site.
    pub fn knows(&self, site: &SiteId) -> bool {
        self.grants.iter().any(|grant| grant.reaches(site))
    }

    /// The only sites at which what is asked may be done; `None` if that is every site.
    pub fn sites(&self) -> Option<BTreeSet<&SiteId>> {
        self.counting().map(|grant| grant.site.as_ref()).collect()
    }

    /// The first of those sites, in the order in which they were granted.
    pub fn first_site(&self) -> Option<&SiteId> {
        self.counting().find_map(|grant| grant.site.as_ref())
    }

    /// The roles held at the site that is asked about, or at all sites if it is about none, from the least to the most.
    pub fn roles(&self) -> BTreeSet<Role> {
        let is_here = |grant: &&Grant| match &self.here {
            Some(site) => grant.reaches(site),
            None => grant.site.is_none(),
        };
        self.counting().filter(is_here).map(|grant| grant.role).collect()
    }

    /// Whether any role held there may do something.
    pub fn may(&self, need: Need) -> bool {
        self.roles().into_iter().any(|role| role.may(need))
    }

    /// The most that is held there.
    pub fn top(&self) -> Option<Role> {
        self.roles().last().copied()
    }
}

/// Whether whoever has these grants may let somebody have `wanted`: nothing beyond what one of them gives.
pub fn may_give<'a>(own: impl IntoIterator<Item = &'a Grant>, wanted: &Grant) -> bool {
    own.into_iter().any(|grant| grant.may_give(wanted))
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    const NEEDS: [Need; 12] = [
        Need::Read,
        Need::Answer,
        Need::Repair,
        Need::Restrain,
        Need::Equip,
        Need::Roster,
        Need::Stock,
        Need::Register,
        Need::Consent,
        Need::OwnDuties,
        Need::Oversee,
        Need::Operate,
    ];

    fn site(name: &str) -> SiteId {
        name.parse().expect("a name")
    }

    fn grant(role: Role, at: Option<&str>) -> Grant {
        Grant { role, site: at.map(site) }
    }

    fn any_grant() -> impl Strategy<Value = Grant> {
        (select(&Role::ALL), select(&[None, Some("hz-01"), Some("hz-02")])).prop_map(|(role, at)| grant(role, at))
    }

    #[test]
    fn a_manager_of_one_site_is_what_they_are_at_another() {
        let held = Held::new([grant(Role::Manager, Some("hz-01")), grant(Role::Supervisor, Some("hz-02"))]);
        let operates = held.clone().asking(Need::Operate);
        assert!(
            operates.reaches(&site("hz-01")) && !operates.reaches(&site("hz-02")) && operates.knows(&site("hz-02"))
        );
        assert_eq!(operates.sites(), Some(BTreeSet::from([&site("hz-01")])));
        assert_eq!(held.clone().at(site("hz-02")).roles(), BTreeSet::from([Role::Supervisor]));
        assert!(
            !held.clone().at(site("hz-02")).may(Need::Operate) && held.clone().at(site("hz-01")).may(Need::Operate)
        );
        assert_eq!(held.clone().at(site("hz-03")).roles(), BTreeSet::new());
        assert_eq!(held.roles(), BTreeSet::new(), "nothing is held at all sites");
    }

    #[test]
    fn what_is_held_everywhere_counts_at_every_site_too() {
        let held = Held::new([grant(Role::Leader, Some("hz-01")), grant(Role::Viewer, None)]);
        assert_eq!(held.sites(), None);
        assert_eq!(held.clone().at(site("hz-01")).top(), Some(Role::Leader));
        assert_eq!(held.clone().at(site("hz-02")).top(), Some(Role::Viewer));
        assert_eq!(held.clone().top(), Some(Role::Viewer));
        assert_eq!(held.asking(Need::Stock).sites(), Some(BTreeSet::from([&site("hz-01")])));
    }

    proptest! {
        #[test]
        fn at_a_site_may_be_done_what_one_of_the_grants_lets_do_there_and_nothing_else(
            grants in prop::collection::vec(any_grant(), 0..4),
            need in select(&NEEDS),
            at in select(&["hz-01", "hz-02", "hz-03"]),
        ) {
            let held = Held::new(grants.clone());
            let one = grants.iter().any(|grant| grant.reaches(&site(at)) && grant.role.may(need));
            prop_assert_eq!(held.clone().at(site(at)).may(need), one);
            prop_assert_eq!(held.clone().asking(need).reaches(&site(at)), one);
            prop_assert_eq!(held.asking(need).sites().is_none_or(|sites| sites.contains(&site(at))), one);
        }

        #[test]
        fn nobody_gives_what_none_of_their_grants_gives(
            own in prop::collection::vec(any_grant(), 0..4),
            wanted in any_grant(),
        ) {
            prop_assert_eq!(may_give(&own, &wanted), own.iter().any(|grant| grant.may_give(&wanted)));
        }
    }
}
