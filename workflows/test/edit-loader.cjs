/** A webpack loader that replaces one passage of a file: the code as somebody might change it. */
module.exports = function edit(source) {
  const { find, replace } = this.getOptions();
  if (!source.includes(find)) throw new Error(`${this.resourcePath} does not hold ${find}`);
  return source.replace(find, replace);
};
