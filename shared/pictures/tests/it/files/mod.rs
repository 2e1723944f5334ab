//! Makes the files that the tests upload.

pub mod jpeg;
pub mod png;
pub mod webp;

/// An EXIF block with an orientation and a GPS latitude, as a camera writes it.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0".to_vec();
    block.extend(2_u16.to_le_bytes());
    block.extend(entry(0x0112, 3, 1, u32::from(orientation)));
    block.extend(entry(0x8825, 4, 1, 38));
    block.extend(0_u32.to_le_bytes());
    assert_eq!(block.len(), 38, "the GPS directory follows");
    block.extend(1_u16.to_le_bytes());
    block.extend(entry(0x0002, 5, 3, 56));
    block.extend(0_u32.to_le_bytes());
    for rational in [[48, 1], [8, 1], [14, 1]] {
        block.extend(rational.iter().flat_map(|number: &u32| number.to_le_bytes()));
    }
    block.extend(b"GPS of home");
    block
}

fn entry(tag: u16, kind: u16, count: u32, value: u32) -> Vec<u8> {
    [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
}
