//! nginx's names for where users are told apart. Pure.
//!
//! Source: <https://nginx.org/en/docs/http/ngx_http_core_module.html#variables>

use crate::providers::traffic::{Preview, UserId};

/// nginx's variable for where a user's id stands.
///
/// # Errors
///
/// nginx has none for such a name, in words.
pub(crate) fn variable(by: &UserId) -> Result<String, String> {
    let is_word = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match by {
        UserId::Header(name) => header_variable(name),
        UserId::Cookie(name) if is_word(name) => Ok(format!("$cookie_{name}")),
        UserId::Query(name) if is_word(name) => Ok(format!("$arg_{name}")),
        UserId::Cookie(name) => Err(format!(
            "nginx cannot read the cookie {name}: its name may have letters, digits and _ only"
        )),
        UserId::Query(name) => Err(format!(
            "nginx cannot read the parameter {name}: its name may have letters, digits and _ only"
        )),
    }
}

/// nginx's variable for a preview.
///
/// # Errors
///
/// As [`variable`].
pub(crate) fn preview(Preview { header, value }: &Preview) -> Result<(String, String), String> {
    Ok((header_variable(header)?, value.clone()))
}

fn header_variable(name: &str) -> Result<String, String> {
    if name.contains(['_', '.']) {
        return Err(format!(
            "nginx ignores the header {name}: its name may have letters, digits and - only"
        ));
    }
    Ok(format!("$http_{}", name.to_ascii_lowercase().replace('-', "_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nginx_has_no_variable_for_is_refused() {
        let of = |by| variable(&by).unwrap_or_else(|refusal| refusal);
        assert_eq!(of(UserId::Header("X-User-Id".to_owned())), "$http_x_user_id");
        assert_eq!(of(UserId::Cookie("uid".to_owned())), "$cookie_uid");
        assert_eq!(of(UserId::Query("user".to_owned())), "$arg_user");
        assert_eq!(
            of(UserId::Cookie("user-id".to_owned())),
            "nginx cannot read the cookie user-id: its name may have letters, digits and _ only"
        );
        assert_eq!(
            of(UserId::Header("x_user".to_owned())),
            "nginx ignores the header x_user: its name may have letters, digits and - only"
        );
    }
}
