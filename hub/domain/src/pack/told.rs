//! Who may ever be told at a site, as the pack has it.

use std::collections::BTreeSet;

use super::Pack;

/// What judges every site, whatever its devices are.
const ALWAYS: [&str; 2] = ["agent", "site"];

impl Pack {
    /// The posts that may be told at a site with devices of `kinds`: of what the rules of these and of the site itself find, of what
    /// people report, of what fails in rounds, and along the chain of command.
    pub fn told<'a>(&self, kinds: impl IntoIterator<Item = &'a str>) -> BTreeSet<Box<str>> {
        let mut posts: BTreeSet<Box<str>> = self.chain.steps.iter().chain([&self.chain.last_resort]).cloned().collect();
        posts.extend(self.reporting(None).tells);
        let repairs = self.checklists.iter().flat_map(|list| &list.items).filter_map(|item| item.department.as_ref());
        posts.extend(repairs.filter_map(|id| self.departments.get(id)).map(|department| department.post.clone()));
        let kinds: BTreeSet<&str> = kinds.into_iter().chain(ALWAYS).collect();
        for kind in kinds.into_iter().filter_map(|kind| self.kinds.get(kind)) {
            posts.extend(kind.rules.iter().flat_map(|rule| &rule.tells).cloned());
            posts.extend(self.reporting(Some(&kind.kind)).tells);
        }
        posts
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_devices(&[], &["engineering", "leader", "manager", "supervisor"])]
    #[case::a_kind_nobody_knows(&["teapot"], &["engineering", "leader", "manager", "supervisor"])]
    #[case::its_rules(&["shoe-cover-machine"], &["engineering", "leader", "manager", "showflat", "supervisor"])]
    #[case::of_several(
        &["led-display", "snooker-table"],
        &["concierge", "engineering", "leader", "manager", "reception", "supervisor"]
    )]
    fn a_site_tells_the_posts_of_what_it_has_and_the_chain_of_command(#[case] kinds: &[&str], #[case] posts: &[&str]) {
        let told = Pack::built_in().told(kinds.iter().copied());
        assert_eq!(told.iter().map(|post| &**post).collect::<Vec<_>>(), posts);
    }
}
