/**
 * The NVIDIA packages that a wheel of TensorFlow lists for its extra `and-cuda`, as requirements for pip.
 *
 * @param {readonly string[]} requiresDist the fields Requires-Dist of its metadata
 */
export const cudaRequirements = (requiresDist) =>
  requiresDist
    .map((field) => field.split(';'))
    .filter(([, marker = '']) => marker.includes('and-cuda'))
    .map(([requirement]) => requirement.replace(/[\s()]/g, ''));

/** A Python program that prints these fields of the wheel that is its argument, one in each line. */
export const printRequiresDist = `
import sys, zipfile, email.parser
with zipfile.ZipFile(sys.argv[1]) as archive:
    name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = email.parser.Parser().parsestr(archive.read(name).decode())
for field in metadata.get_all("Requires-Dist", []): print(" ".join(field.split()))
`;
