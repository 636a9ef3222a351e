// The program that the executor's test runs.
console.log(JSON.stringify({ argv: process.argv.slice(2), cwd: process.cwd() }));
process.exitCode = Number(process.env['PRINT_ARGUMENTS_EXIT_CODE'] ?? 0);
