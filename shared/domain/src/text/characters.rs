//! Character classes: bidirectional controls and visibility. Unicode properties are those of `icu_properties`.

use std::ops::RangeInclusive;

use icu_properties::{
    CodePointSetData,
    props::{DefaultIgnorableCodePoint, WhiteSpace},
};

/// Bidirectional embeddings, overrides and isolates (Unicode Standard Annex 9, table 4). Their effect reaches beyond
/// the name that contains them and reorders the text beside it. Marks (U+200E, U+200F, U+061C) have no such effect and
/// are allowed.
pub const BIDI_CONTROLS: [RangeInclusive<char>; 2] = ['\u{202A}'..='\u{202E}', '\u{2066}'..='\u{2069}'];

/// Characters without a visible shape that Unicode classifies neither as `White_Space` nor as
/// `Default_Ignorable_Code_Point`; collected from the names and descriptions of the Unicode 17 code charts. The Hangul
/// fillers (U+115F, U+1160, U+3164, U+FFA0) are absent because they have the second property.
pub const BLANK_LOOK_ALIKES: [RangeInclusive<char>; 6] = [
    // Braille pattern blank.
    '\u{2800}'..='\u{2800}',
    // Interlinear annotation anchor, separator and terminator.
    '\u{FFF9}'..='\u{FFFB}',
    // Egyptian hieroglyph format controls.
    '\u{13430}'..='\u{1343F}',
    // Egyptian hieroglyph full blank and half blank.
    '\u{13441}'..='\u{13442}',
    // Khitan small script filler.
    '\u{16FE4}'..='\u{16FE4}',
    // Musical symbol null notehead.
    '\u{1D159}'..='\u{1D159}',
];

/// Whether the character is one of [`BIDI_CONTROLS`].
pub fn is_bidi_control(character: char) -> bool {
    is_in(&BIDI_CONTROLS, character)
}

/// Whether the character is visible to a reader: neither a control character, white space, ignorable by default
/// (`Default_Ignorable_Code_Point`) nor a blank look-alike.
pub fn is_visible(character: char) -> bool {
    let blank = character.is_control()
        || CodePointSetData::new::<WhiteSpace>().contains(character)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || is_in(&BLANK_LOOK_ALIKES, character);
    !blank
}

/// The invisible code points other than control characters, in unspecified order.
pub fn blank_ranges() -> impl Iterator<Item = RangeInclusive<u32>> {
    let white_space = CodePointSetData::new::<WhiteSpace>().iter_ranges();
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>().iter_ranges();
    let look_alikes = BLANK_LOOK_ALIKES.iter().map(|range| u32::from(*range.start())..=u32::from(*range.end()));
    white_space.chain(ignorable).chain(look_alikes)
}

fn is_in(ranges: &[RangeInclusive<char>], character: char) -> bool {
    ranges.iter().any(|range| range.contains(&character))
}
