<?php
{% from 'template/lib/text.jinja' import marker %}
{{ marker('//') }}
//
// extensions PATH: prints the extensions that the Composer files of this folder require and that this PHP does not have
// yet. PATH is for messages.
$file = 'composer.json';
if (!is_file($file) || !is_file('composer.lock')) {
    fwrite(STDERR, "\nThere is no composer.json, or no composer.lock, in {$argv[1]}: run `composer update` there and commit both.\n\n");
    exit(1);
}
$read = fn (string $path): array => json_decode(file_get_contents($path), true, 512, JSON_THROW_ON_ERROR);
$lock = $read('composer.lock');
$required = $read($file)['require'] ?? [];
foreach ($lock['packages'] ?? [] as $package) {
    $required += $package['require'] ?? [];
}
$names = [];
foreach (array_keys($required) as $name) {
    if (preg_match('/^ext-([a-z0-9_-]+)$/i', $name, $match)) {
        $names[] = strtolower($match[1]);
    }
}
$loaded = array_map('strtolower', get_loaded_extensions());
$missing = array_filter(array_unique($names), fn (string $name): bool => !in_array(str_replace('-', ' ', $name), $loaded, true)
    && !in_array($name, $loaded, true));
sort($missing);
echo implode("\n", $missing), $missing ? "\n" : '';
