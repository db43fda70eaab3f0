//! Files that are no plan at all.

use super::*;

#[test]
fn an_empty_file() {
    assert_snapshot!(refusal(""), @r"
    plan.yml:1:1: the file is empty, expected a plan
    hint: a plan has at least `service`, `traffic` and `metrics`; begin with examples/plans/smallest.yml of rollgate
    ");
}

#[test]
fn a_file_of_comments() {
    assert_snapshot!(refusal("# service: shop-api\n"), @r"
    plan.yml:1:1: the file is empty, expected a plan
      |
    1 | # service: shop-api
      | ^
    hint: a plan has at least `service`, `traffic` and `metrics`; begin with examples/plans/smallest.yml of rollgate
    ");
}

#[test]
fn a_list() {
    assert_snapshot!(refusal("- service\n- traffic\n"), @r"
    plan.yml:1:1: found a list, expected a mapping with `service`, `traffic` and `metrics`
      |
    1 | - service
      | ^
    ");
}

#[test]
fn a_word() {
    assert_snapshot!(refusal("hello\n"), @r"
    plan.yml:1:1: found `hello`, expected a mapping with `service`, `traffic` and `metrics`
      |
    1 | hello
      | ^
    ");
}

#[test]
fn a_tab() {
    assert_snapshot!(refusal("service: shop-api\ntraffic:\n\thaproxy: {}\n"), @r"
    plan.yml:3:2: not readable as YAML: tabs disallowed within this context (block indentation)
      |
    3 |  haproxy: {}
      |  ^
    ");
}

#[test]
fn a_bracket_that_is_not_closed() {
    assert_snapshot!(refusal(&but("[blue, green]", "[blue, green")), @r"
    plan.yml:6:8: not readable as YAML: illegal placement of ':' indicator
      |
    6 | metrics:
      |        ^
    ");
}

#[test]
fn two_documents() {
    assert_snapshot!(refusal(&and("---\nservice: shop")), @r"
    plan.yml:11:1: a second document begins here, expected one plan in one file
       |
    11 | service: shop
       | ^
    ");
}

#[test]
fn a_bomb_of_anchors() {
    let mut bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for (name, of) in [
        ("b", "a"),
        ("c", "b"),
        ("d", "c"),
        ("e", "d"),
        ("f", "e"),
        ("g", "f"),
    ] {
        bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 10].join(", "));
    }
    assert_snapshot!(refusal(&bomb), @r"
    plan.yml:4:36: too many values, levels or anchors for a plan
      |
    4 | d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
      |                                    ^
    ");
}

#[test]
fn a_file_without_end() {
    assert_snapshot!(refusal(&"# rollgate\n".repeat(100_000)), @r"
    plan.yml:1:1: the file is too large for a plan, expected at most 262144 bytes
      |
    1 | # rollgate
      | ^
    ");
}

#[test]
fn many_levels() {
    assert_snapshot!(refusal(&format!("service: {}", "[".repeat(100))), @r"
    plan.yml:1:109: not readable as YAML: unclosed bracket '['
      |
    1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |                                                                           ^
    ");
}

#[test]
fn many_levels_that_are_closed() {
    assert_snapshot!(refusal(&format!("service: {}{}", "[".repeat(40), "]".repeat(40))), @r"
    plan.yml:1:41: too many values, levels or anchors for a plan
      |
    1 | service: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
      |                                         ^
    ");
}

#[test]
fn a_byte_order_mark_is_no_key() {
    plan(&format!("\u{feff}{}", SMALLEST.trim_start()));
}

#[test]
fn lines_may_end_as_on_windows() {
    plan(&SMALLEST.replace('\n', "\r\n"));
}

#[test]
fn a_long_line_is_shown_around_the_slip() {
    let pages = "http://10.0.0.1:9394/metrics, ".repeat(10);
    let yaml = but(
        "prometheus: { url: \"http://prometheus:9090\" }",
        &format!("scrape: {{ pages: {{ blue: [{pages}10.0.0.9], green: [http://b/] }} }}"),
    );
    assert_snapshot!(refusal(&yaml), @r"
    plan.yml:7:329: metrics.scrape.pages.blue[10]: found `10.0.0.9`, expected a URL that begins with `http://` or `https://` and holds no user or password, such as `http://prometheus:9090`
      |
    7 | …394/metrics, http://10.0.0.1:9394/metrics, http://10.0.0.1:9394/metrics, 10.0.0.9], green: [http://…
      |                                                                           ^
    ");
}

#[test]
fn another_encoding() {
    let mut bytes = b"# plan\nservice: shop # caf".to_vec();
    bytes.extend([0xe9, b'\n']);
    assert_snapshot!(refusal_of(&bytes), @r"
    plan.yml:2:20: not readable as text, expected UTF-8
      |
    2 | service: shop # caf�
      |                    ^
    ");
}

#[test]
fn a_file_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Plan::read(&folder.path().join("plan.yml"))
        .expect_err("a refusal")
        .to_string();
    assert_snapshot!(error.replace(&format!("{}/", folder.path().display()), ""), @r"
    plan.yml: no such file
    hint: the plan is .github/rollgate.yml, unless --plan or ROLLGATE_PLAN name another; begin with examples/plans/smallest.yml of rollgate
    ");
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Plan::read(folder.path()).expect_err("a refusal").to_string();
    assert_snapshot!(error.replace(&folder.path().display().to_string(), "plan.yml"), @r"
    plan.yml: cannot be read: Is a directory (os error 21)
    hint: the plan is .github/rollgate.yml, unless --plan or ROLLGATE_PLAN name another
    ");
}
