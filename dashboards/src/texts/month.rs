//! The texts of an item's month.

texts! {
    MonthTexts;
    statement: "{} 月度用量", "Use in {}";
    plan: "{} 采购计划", "Purchase for {}";
    used: "用了 {} {}", "{} {} were used";
    used_for: "用了 {} {}，合 {}", "{} {} were used, for {}";
    and_lost: "，另有 {} {} 报废或短少", ", and {} {} were thrown away or are missing";
    and_found: "，盘点比账面多 {} {}", ", and counts found {} {} more than the books";
    and_unsure: "，部分计数待确认", ", and some counts are to be looked at";
    and_below: "，但{}账面为负，有补货或盘点没登记", ", but by the books {} holds less than nothing: a refill or a count was not entered";
    and_agree: "，账实相符", ", and the books agree with the counts";
    so_far: "本月尚未结束", "The month is not over";
    previous: "上月", "Month before";
    next: "下月", "Month after";
    to_plan: "下月采购计划", "Next month's purchase";
    agree: "已核对，确认本月用量", "Agree to this statement";
    agree_why: "核对账面与盘点后确认（SHO-D4）。确认后有错，请在流水里更正。", "Agree once the books were checked against the counts (SHO-D4). A mistake found later is corrected in the ledger.";
    agreed: "已由{}核对，{}", "Agreed to by {}, {}";
    agreed_somebody: "（未署名）", "(no name given)";
    to_statement: "上月用量", "The last month's use";
    this_month: "本月用量", "This month's use";
    to_stock: "库存", "Stock";
    months: "月份与导出", "Months and tables";
    export_csv: "导出 CSV", "As CSV";
    export_xlsx: "导出 XLSX", "As XLSX";
    print: "打印", "Print";
    sign_counts: "盘点人", "Counted by";
    sign_asks: "申请人", "Asked for by";
    sign_checks: "主管", "Supervisor";
    sign_approves: "经理", "Manager";
    machines: "各机用量", "By machine";
    machine: "机器", "Machine";
    dispensed: "出套", "Handed out";
    jams: "卡套次数", "Jams";
    jams_rate: "每千片卡套", "Jams per 1,000";
    held: "{} 片计数异常，待确认", "{} pieces are not believed yet";
    unsure: "计数器被清零 {} 次，未登记", "Clearings of the counter that nobody announced: {}";
    no_machines: "本月没有机器出套", "No machine handed anything out";
    days: "每日用量", "By day";
    day: "日期", "Day";
    by_hand: "手工发放", "By hand";
    total: "合计", "Total";
    places: "收发存", "Where it was and went";
    place: "地点", "Place";
    began: "期初", "Began";
    received: "入库", "Received";
    refilled: "补货", "Refilled";
    counter: "机器出套", "By counter";
    wasted: "报废", "Thrown away";
    moved: "调拨", "Moved";
    difference: "盘点差异", "Found different";
    ended: "期末", "Ended";
    differences: "盘点差异说明", "Why counts differ";
    no_differences: "本月盘点没有差异", "No count found a difference";
    counted: "账面 {}，实盘 {}", "{} by the books, {} counted";
    place_store: "库房", "Store room";
    place_counter: "手工发放处", "Hand-out place";
    plan_unknown: "还没有用量记录，无法测算", "Nothing has been used yet, so nothing can be proposed";
    plan_nothing: "库存足够，不需要采购", "There is enough: nothing needs to be bought";
    plan_open: "建议采购 {} {}，尚未提交", "{} {} are proposed, and not submitted";
    plan_with: "采购 {} {}，待{}审批", "{} {} to be bought, waiting for: {}";
    plan_approved: "采购 {} {}，已批准", "{} {} to be bought, approved";
    plan_boxes: "{} 箱，每箱 {} {}", "{} boxes of {} {}";
    cost: "金额", "Cost";
    terms: "测算依据", "How it comes about";
    term: "项目", "Term";
    pieces: "数量", "Pieces";
    term_days: "{}：{} 天，每天 {}", "{}: {} days, {} each";
    term_demand: "本月预计用量", "Expected use of the month";
    term_safety: "安全库存", "Safety stock";
    term_launches_stated: "开盘日：{} 天，每天 {}（案场设定为平日的 {} 倍）", "launch days: {} x {} (the site says {} times an ordinary day)";
    term_launches_learnt: "开盘日：{} 天，每天 {}（为平日的 {} 倍，据以往 {} 个开盘日）", "launch days: {} x {} ({} times an ordinary day, from {} past ones)";
    term_safety_how: "1.645 × 日波动 {} × √{} 天到货", "1.645 x daily deviation {} x root of {} days to deliver";
    term_until: "月初前预计用量", "Expected use until the month begins";
    term_on_hand: "现有库存", "On hand";
    term_on_order: "在途", "On order";
    term_need: "缺口", "Needed";
    term_rounded: "按箱取整", "In whole boxes";
    term_rounded_how: "每箱 {}，起订 {}", "{} a box, at least {}";
    hindsight: "前几个月测算得怎样", "How well past months were forecast";
    no_hindsight: "记录不足一个月", "Less than a month is known";
    month: "月份", "Month";
    expected: "测算", "Expected";
    actual: "实际", "Used";
    error: "误差", "Error";
    history: "经过", "What was done";
    no_history: "还没有人处理", "Nobody has done anything with it";
    did_edit: "改为 {} {}", "Set to {} {}";
    did_submit: "提交 {} {}", "{} {} submitted";
    did_approve: "批准 {} {}", "{} {} approved";
    did_return: "退回", "Sent back";
    act_pieces: "采购数量", "Pieces to buy";
    act_reason: "原因", "Reason";
    act_no_reason: "请写明原因（一行，最多 200 字）", "Say why, in one line of at most 200 characters";
    act_edit: "修改", "Change";
    act_submit: "提交审批", "Submit";
    act_approve: "批准", "Approve";
    act_twice: "您已在下一级批准过，这一级须由另一人批准；您仍可退回。", "You have approved it at a lower level: another person is to approve it here. You can still send it back.";
    act_return: "退回", "Send back";
    act_return_why: "退回原因", "Why it goes back";
    hindsight_short: "测算误差", "Past forecasts";
    by_books: "账面", "By the books";
    by_count: "实盘", "Counted";
    by_whom: "经手人", "By whom";
    choose: "选择案场", "Choose a site";
    nothing_kept: "这个案场没有登记耗材", "Nothing is kept in stock at this site";
    weekday_1: "周一", "Mondays";
    weekday_2: "周二", "Tuesdays";
    weekday_3: "周三", "Wednesdays";
    weekday_4: "周四", "Thursdays";
    weekday_5: "周五", "Fridays";
    weekday_6: "周六", "Saturdays";
    weekday_7: "周日", "Sundays";
}

impl MonthTexts {
    /// What the weekday of that number is called, 1 for Monday.
    pub fn weekday(&self, number: i8) -> &'static str {
        match number {
            1 => self.weekday_1,
            2 => self.weekday_2,
            3 => self.weekday_3,
            4 => self.weekday_4,
            5 => self.weekday_5,
            6 => self.weekday_6,
            _ => self.weekday_7,
        }
    }
}
