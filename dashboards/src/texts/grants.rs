//! The texts of what people hold: several roles, each at a site.

use super::Lang;

texts! {
    GrantTexts;
    switch: "切换岗位", "Change role";
    held: "岗位", "Roles";
    give: "增加岗位", "Grant a role";
    take: "取消岗位", "Take away";
    take_of: "：{}，{}", " {}: {}";
    give_why: "增加的岗位只在所选案场有效，立即生效。", "It holds at the chosen site alone, from now on.";
    elsewhere: "此人还有您无权管理的岗位：重发链接、停用和删除请找管理员。", "They hold roles that are not yours to give: ask an administrator for a new link, or to disable or erase them.";
}

impl Lang {
    /// The texts of what people hold in this language.
    pub fn grant_texts(self) -> &'static GrantTexts {
        match self {
            Self::Zh => &ZH,
            Self::En => &EN,
        }
    }
}
