"""Files that others wrote, read within limits: however a file is made, reading it takes bounded memory and time.

A file may come from anywhere. Each reader says beforehand how much it takes, looks at what is declared before it makes
room for it, and answers a file that it does not take with one line. ``yaml_file`` reads what people write,
``json_file`` what bitloom wrote into a build folder, ``arrays`` NumPy's files; ``text`` is what they share.
"""
