/** A name and the current time: `sst2-20261123-231500`. */
export function newWorkflowId(name: string): string {
  const time = new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${name.replace(/\.yaml$/, '')}-${time}`;
}
