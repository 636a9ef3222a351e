export function chosenGoldenSet(): string;
export function goldenSets(): string[];
