export function chosenGoldenSet(): string;
export function goldenSets(): string[];
export function goldenEncoderSets(): string[];
