//! Instructions of BPF, and labels to jump to.

/// A register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Register(pub(crate) u8);

/// What a load takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Octet = 0x10,
    Half = 0x08,
    Word = 0x00,
    Double = 0x18,
}

/// When a jump is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Equal = 0x10,
    Greater = 0x20,
    NotEqual = 0x50,
}

/// What is done with a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Do {
    Add = 0x00,
    Multiply = 0x20,
    Or = 0x40,
    And = 0x50,
    ShiftRight = 0x70,
    Move = 0xb0,
}

/// A place in a program, before or after it is known where that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// A program in the making.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    instructions: Vec<u64>,
    /// Where each label is.
    places: Vec<Option<usize>>,
    /// Jumps, and where they go.
    jumps: Vec<(usize, Label)>,
}

const LOAD_IMMEDIATE: u8 = 0x18;
const LOAD: u8 = 0x61;
const WORDS: u8 = 0x04;
const DOUBLES: u8 = 0x07;
const JUMP: u8 = 0x05;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// The operand is a register.
const BY_REGISTER: u8 = 0x08;
/// What a loaded immediate stands for.
const MAP: u8 = 1;
const MAP_VALUE: u8 = 2;

impl Assembler {
    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// Says that a label is here.
    pub(crate) fn place(&mut self, label: Label) {
        self.places[label.0] = Some(self.instructions.len());
    }

    /// Loads what `from` points to.
    pub(crate) fn load(&mut self, size: Size, to: Register, from: Register, offset: i16) {
        self.push(LOAD | size as u8, to, from, offset, 0);
    }

    /// Does something with 64 bits and another register.
    pub(crate) fn with(&mut self, what: Do, to: Register, from: Register) {
        self.push(DOUBLES | BY_REGISTER | what as u8, to, from, 0, 0);
    }

    /// Does something with 64 bits and a number.
    pub(crate) fn with_number(&mut self, what: Do, to: Register, number: i32) {
        self.push(DOUBLES | what as u8, to, NONE, 0, number);
    }

    /// Does something with the lower 32 bits and another register.
    pub(crate) fn word_with(&mut self, what: Do, to: Register, from: Register) {
        self.push(WORDS | BY_REGISTER | what as u8, to, from, 0, 0);
    }

    /// Does something with the lower 32 bits and a number.
    pub(crate) fn word_with_number(&mut self, what: Do, to: Register, number: i32) {
        self.push(WORDS | what as u8, to, NONE, 0, number);
    }

    /// Loads the map of a file descriptor.
    pub(crate) fn load_map(&mut self, to: Register, descriptor: i32) {
        self.push(LOAD_IMMEDIATE, to, Register(MAP), 0, descriptor);
        self.push(0, NONE, NONE, 0, 0);
    }

    /// Loads a pointer to the one value of the map of a file descriptor.
    pub(crate) fn load_value(&mut self, to: Register, descriptor: i32) {
        self.push(LOAD_IMMEDIATE, to, Register(MAP_VALUE), 0, descriptor);
        self.push(0, NONE, NONE, 0, 0);
    }

    pub(crate) fn jump(&mut self, to: Label) {
        self.jumps.push((self.instructions.len(), to));
        self.push(JUMP, NONE, NONE, 0, 0);
    }

    pub(crate) fn jump_when(&mut self, a: Register, when: When, b: Register, to: Label) {
        self.jumps.push((self.instructions.len(), to));
        self.push(JUMP | BY_REGISTER | when as u8, a, b, 0, 0);
    }

    pub(crate) fn jump_when_number(&mut self, a: Register, when: When, number: i32, to: Label) {
        self.jumps.push((self.instructions.len(), to));
        self.push(JUMP | when as u8, a, NONE, 0, number);
    }

    pub(crate) fn call(&mut self, helper: i32) {
        self.push(CALL, NONE, NONE, 0, helper);
    }

    pub(crate) fn exit(&mut self) {
        self.push(EXIT, NONE, NONE, 0, 0);
    }

    /// Returns the instructions, with all jumps leading to their labels.
    pub(crate) fn finish(mut self) -> Vec<u64> {
        for (from, label) in self.jumps {
            let to = self.places[label.0].expect("every label is placed");
            let distance = to.checked_signed_diff(from + 1);
            let distance = distance.and_then(|distance| i16::try_from(distance).ok());
            let distance = distance.expect("a program has some hundred instructions");
            let jump = self.instructions[from].to_le_bytes();
            let [low, high] = distance.to_le_bytes();
            let [code, registers, _, _, a, b, c, d] = jump;
            let jump = [code, registers, low, high, a, b, c, d];
            self.instructions[from] = u64::from_le_bytes(jump);
        }
        // As the kernel has them: fields in the machine's own order.
        let in_order = |instruction: u64| {
            let [code, registers, o1, o2, a, b, c, d] = instruction.to_le_bytes();
            let [o1, o2] = i16::from_le_bytes([o1, o2]).to_ne_bytes();
            let [a, b, c, d] = i32::from_le_bytes([a, b, c, d]).to_ne_bytes();
            let registers = match cfg!(target_endian = "big") {
                true => registers.rotate_left(4),
                false => registers,
            };
            u64::from_ne_bytes([code, registers, o1, o2, a, b, c, d])
        };
        self.instructions.into_iter().map(in_order).collect()
    }

    fn push(&mut self, code: u8, to: Register, from: Register, offset: i16, number: i32) {
        let [low, high] = offset.to_le_bytes();
        let [a, b, c, d] = number.to_le_bytes();
        let octets = [code, from.0 << 4 | to.0, low, high, a, b, c, d];
        self.instructions.push(u64::from_le_bytes(octets));
    }
}

/// In the place of a register that an instruction does not have.
const NONE: Register = Register(0);

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    #[test]
    fn jumps_lead_to_their_labels_forward_and_back() {
        let mut assembler = Assembler::default();
        let (start, end) = (assembler.label(), assembler.label());
        assembler.place(start);
        assembler.jump_when_number(Register(3), When::Equal, 7, end);
        assembler.jump(start);
        assembler.place(end);
        assembler.exit();
        let octets: Vec<_> = assembler
            .finish()
            .into_iter()
            .map(u64::to_le_bytes)
            .collect();
        assert_eq!(octets[0], [0x15, 0x03, 1, 0, 7, 0, 0, 0]);
        assert_eq!(octets[1], [0x05, 0, 0xfe, 0xff, 0, 0, 0, 0]);
        assert_eq!(octets[2], [0x95, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn instructions_are_as_the_kernel_documents_them() {
        let mut assembler = Assembler::default();
        assembler.load(Size::Half, Register(2), Register(7), 12);
        assembler.with(Do::Move, Register(6), Register(1));
        assembler.word_with_number(Do::Multiply, Register(5), 31);
        assembler.load_value(Register(9), 4);
        assembler.call(51);
        let octets: Vec<_> = assembler
            .finish()
            .into_iter()
            .map(u64::to_le_bytes)
            .collect();
        assert_eq!(octets[0], [0x69, 0x72, 12, 0, 0, 0, 0, 0]);
        assert_eq!(octets[1], [0xbf, 0x16, 0, 0, 0, 0, 0, 0]);
        assert_eq!(octets[2], [0x24, 0x05, 0, 0, 31, 0, 0, 0]);
        assert_eq!(octets[3], [0x18, 0x29, 0, 0, 4, 0, 0, 0]);
        assert_eq!(octets[4], [0; 8]);
        assert_eq!(octets[5], [0x85, 0, 0, 0, 51, 0, 0, 0]);
    }
}
