const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/**
 * Characters that can share a cluster with another one: marks and what else extends a cluster, prepended characters, Hangul's
 * letters, regional indicators, and CR LF.
 */
const joining = new RegExp(
  String.raw`\r\n|[\p{M}\p{Cf}\p{Grapheme_Extend}\p{Emoji_Modifier}\p{Regional_Indicator}` +
    String.raw`\u0e33\u0eb3\u0d4e\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb` +
    String.raw`\u{111c2}\u{111c3}\u{113d1}\u{1193f}\u{11941}\u{11a3a}\u{11a84}-\u{11a89}\u{11d46}\u{11f02}]`,
  'u',
);

/** The user-perceived characters of a text (UAX 29, extended grapheme clusters). */
export function* graphemeClusters(text: string): Iterable<string> {
  if (joining.test(text)) for (const { segment } of segmenter.segment(text)) yield segment;
  else yield* text;
}
