//! How a key is declared.

/// Declares the configuration, section by section and key by key:
///
/// ```text
/// /// What the section is.
/// announce: Announce {
///     /// What the key means, in a sentence.
///     ///
///     /// More of it, for docs/configuration.md alone.
///     interval: Duration = 30 * MINUTE, Reload, in MINUTE..=DAY;
/// }
/// ```
///
/// Name, type, default, and whether a reload applies the key or it needs a [`Restart`] are always
/// there. What may follow, in this order: `in BOUNDS`; `check FUNCTION`, for what must hold of the
/// value otherwise; `c "NAME"`, the key of the C program; `flag 'f' "ARGUMENT"`, the flag.
///
/// A section within another begins with `unicast [in livesync] LiveSyncUnicast`: it is
/// `[livesync.unicast]` in a file, and `unicast` in `Values`.
///
/// It makes the struct of every section with its defaults, `Values`, which has them all, and
/// `SECTIONS`, from which everything else follows.
///
/// [`Restart`]: super::keys::Applies::Restart
macro_rules! sections {
    ($(
        $(#[doc = $about:literal])+
        $section:ident $within:tt $Section:ident {$(
            $(#[doc = $help:literal])+
            $key:ident: $Type:ty = $default:expr, $applies:ident
            $(, in $bounds:expr)?
            $(, check $check:path)?
            $(, c $c_name:literal)?
            $(, flag $flag:literal $argument:literal)?;
        )+}
    )+) => {
        /// The value of every key, checked or not: what [`Values::validate`] makes a
        /// [`Config`](super::Config) from. docs/configuration.md has the meaning of each key.
        #[derive(Debug, Clone, PartialEq, Default)]
        #[non_exhaustive]
        pub struct Values {
            $( $(#[doc = $about])+ pub $section: $Section, )+
        }

        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone, PartialEq)]
            #[non_exhaustive]
            pub struct $Section {
                $( $(#[doc = $help])+ pub $key: $Type, )+
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $key: $default, )+ }
                }
            }
        )+

        /// All sections with all keys, in the order in which they are printed.
        pub(super) static SECTIONS: &[Section] = &[$(
            Section {
                name: sections!(@name $section $within),
                about: &[$($about),+],
                keys: &[$(
                    Key {
                        path: concat!(
                            sections!(@name $section $within), ".", stringify!($key)
                        ),
                        name: stringify!($key),
                        help: &[$($help),+],
                        applies: Applies::$applies,
                        c_name: sections!(@optional $($c_name)?),
                        flag: sections!(@optional $(($flag, $argument))?),
                        wanted: <$Type>::WANTED,
                        is_list: <$Type>::IS_LIST,
                        is_text: <$Type>::IS_TEXT,
                        choices: <$Type>::CHOICES,
                        hint: <$Type>::hint,
                        bounds: sections!(@bounds $($Type: $bounds)?),
                        check: |values| {
                            let _value = &values.$section.$key;
                            $( within(_value, &($bounds))?; )?
                            $( $check(_value)?; )?
                            Ok(())
                        },
                        read: |values, input, add| {
                            let value = <$Type>::read(input)?;
                            if add {
                                values.$section.$key.add(value);
                            } else {
                                values.$section.$key = value;
                            }
                            Ok(())
                        },
                        get: |values| values.$section.$key.to_toml(),
                        copy: |from, to| to.$section.$key.clone_from(&from.$section.$key),
                    },
                )+],
            },
        )+];
    };
    (@name $section:ident :) => { stringify!($section) };
    (@name $section:ident [in $outer:ident]) => {
        concat!(stringify!($outer), ".", stringify!($section))
    };
    (@optional) => { None };
    (@optional $value:expr) => { Some($value) };
    (@bounds) => { || None };
    (@bounds $Type:ty: $bounds:expr) => {
        || {
            let bounds: RangeInclusive<$Type> = $bounds;
            Some([bounds.start().bound(), bounds.end().bound()])
        }
    };
}
