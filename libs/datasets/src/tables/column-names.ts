/** What a column may contain, according to its name. */
export type Role = 'text' | 'label';

/** 2: the name is one of the usual ones. 1: a word of it is. 0: nothing is known. */
export type NameRank = 0 | 1 | 2;

// cspell:disable
// The usual names of each role, in English and in the languages of frequent data sets.
const texts = words(`
  text texts sentence sentences review reviews content contents comment comments tweet tweets body message messages utterance
  question query document doc description feedback post answer input article passage statement snippet transcript email sms
  texte phrase avis commentaire texto frase comentario reseña oracion testo recensione commento satz bewertungstext kommentar
  nachricht tekst zin recenzja texto_completo mensagem текст отзыв комментарий сообщение 文本 内容 评论 句子 文章 テキスト 本文 レビュー
  文 문장 본문 리뷰 댓글 نص
`);
const titles = words('title headline subject summary heading titre título titolo titel заголовок 标题 タイトル 제목');
const labels = words(`
  label labels class classes category categories target sentiment intent rating ratings stars star score polarity topic emotion
  tag y gold gold_label labelid classification toxicity spam annotation output
  étiquette etiquette classe catégorie categorie sentiment etiqueta clase categoría categoria sentimiento sentimento etichetta
  klasse kategorie etikett stimmung klasa kategoria метка класс категория тональность 标签 标注 类别 分类 情感 ラベル カテゴリ 分類 感情
  라벨 레이블 감정 분류 تصنيف
`);
// cspell:enable
const others = words(
  'id ids idx index date time timestamp url uri link user author length len count lang language split path file',
);

/** Names of the two texts of pairs, in the order of the data sets that have them. */
export const pairNames: readonly (readonly [first: string, second: string])[] = [
  ['premise', 'hypothesis'],
  ['sentence1', 'sentence2'],
  ['sentence_1', 'sentence_2'],
  ['sentence_a', 'sentence_b'],
  ['question1', 'question2'],
  ['question_1', 'question_2'],
  ['text1', 'text2'],
  ['text_1', 'text_2'],
  ['text_a', 'text_b'],
  ['question', 'sentence'],
  ['question', 'passage'],
  ['text', 'text_pair'],
];

function words(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}

/** A name in lower case with one `_` between its words: `Review Text`, `reviewText` and `review-text` are `review_text`. */
export function normalisedName(name: string): string {
  return name
    .normalize('NFKC')
    .replaceAll(/(\p{Ll})(\p{Lu})/gu, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '');
}

/** How well a column's name fits a role. */
export function nameRank(name: string, role: Role): NameRank {
  const normal = normalisedName(name);
  const usual = role === 'text' ? texts : labels;
  if (usual.has(normal)) return 2;
  const parts = normal.split('_');
  // `review_id` is not a text, but `label_id` and `Class Index` are labels.
  if (role === 'text' && (parts.some((part) => others.has(part)) || parts.some((part) => labels.has(part)))) return 0;
  if (role === 'text' && titles.has(normal)) return 1;
  return parts.some((part) => usual.has(part)) ? 1 : 0;
}

/** Whether a name is usual for any column of labelled texts: a row of such names is a header. */
export const isUsualName = (name: string): boolean => {
  const normal = normalisedName(name);
  return (
    [texts, titles, labels, others].some((usual) => usual.has(normal)) ||
    pairNames.some((pair) => pair.includes(normal))
  );
};
