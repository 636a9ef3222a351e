// What the executor's test runs in place of a real program.
console.log(JSON.stringify({ argv: process.argv.slice(2), cwd: process.cwd() }));
process.exitCode = Number(process.env['PRINT_ARGUMENTS_EXIT_CODE'] ?? 0);
