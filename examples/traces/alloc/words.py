import collections, json, re, sys

text = open(sys.argv[1]).read()
tokens = re.findall(r'[A-Za-z_]\w*|\d+|\S', text)
where = collections.defaultdict(list)
for number, line in enumerate(text.splitlines(), 1):
    for word in re.findall(r'[A-Za-z_]\w+', line):
        where[word].append(number)
index = [{'word': w, 'count': len(n), 'lines': n} for w, n in sorted(where.items())]
back = json.loads(json.dumps(index, indent=1))
back.sort(key=lambda entry: (-entry['count'], entry['word']))
for entry in back[:20]:
    print('%-24s %5d  %s' % (entry['word'], entry['count'], ' '.join(map(str, entry['lines'][:8]))))
print(len(tokens), 'tokens,', len(set(tokens)), 'different')
