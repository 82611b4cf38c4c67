# ruff: noqa: RUF001 - the Turkish dotless i is a letter
"""The words that `scoring` listens for, by signal, in the languages it reads.

Whole words only, with the inflections that occur, lower case; a word belongs to one signal.
Written by hand: nothing here is taken from a data set. A word that means something else in English
(falls, sea, son, mayor, comment) is left out. English first, then German, French,
Spanish, Italian, Portuguese, Dutch, Russian, and a few stems for scripts without spaces. Of
others only thanks, greetings and the word for "prove": what must go down, and what must not.
"""

from __future__ import annotations

__all__ = ["HINTS", "KNOWN", "STEMS", "WORDS"]

_TEXT: dict[str, str] = {
    "proof": """
        prove proves proved proving proven proof proofs disprove disproves disproved refute refutes
        theorem theorems lemma corollary conjecture conjectures hypothesis axiom axioms
        contradiction induction counterexample counterexamples undecidable decidable riemann beweis
        beweise beweisen beweist bewiesen widerlege widerlegen satz vermutung annahme prouve prouver
        prouvez prouvons preuve démontre démontrer démontrez démontrons démonstration théorème
        réfute réfuter demuestra demostrar demuestre demuéstrame demostración prueba probar teorema
        conjetura dimostra dimostrare dimostri dimostrazione provare provar demonstre demonstrar
        demonstração bewijs bewijzen stelling докажи докажите доказать доказательство теорема
        опровергни доведи доведіть довести udowodnij udowodnić wykaż dowód bevisa bevisen kanıtla
        kanıtlayın ispatla ispatlayın أثبت اثبت برهن הוכח הוכיחו
    """,
    "reasoning": """
        analyze analyzes analyzed analyzing analyse analyses analysed analysing analysis compare
        compares compared comparing comparison evaluate evaluates evaluated evaluating evaluation
        synthesize synthesise synthesis explain explains explaining explanation justify justifies
        justified justification derive derives derived deriving derivation deduce deduces infer
        infers inferred inference reason reasoning argue argues argument assess assessing critique
        criticize investigate diagnose debug design designing architect optimize optimise optimizing
        refactor refactoring plan planning strategy strategies tradeoff tradeoffs interpret
        interpretation demonstrate verify solve solves solving determine estimate rigorous
        rigorously implications consequences erkläre erklären erklärt begründe begründen analysiere
        analysieren vergleiche vergleichen bewerte bewerten zeige zeigen untersuche untersuchen
        entwirf entwerfen löse lösen berechne berechnen explique expliquer expliquez justifie
        justifier analyser analysez comparer comparez évalue évaluer montre montrer montrez résous
        résoudre résolvez calcule calculer calculez déduire déduis conçois concevoir explica
        explicar explique analiza analizar compara comparar evalúa evaluar justifica justificar
        resuelve resolver calcula calcular deduce diseña diseñar spiega spiegare analizza analizzare
        confronta confrontare risolvi risolvere explicar analise analisar avalie resolva verklaar
        vergelijk toon объясни объяснить сравни проанализируй реши решить обоснуй
    """,
    "question": """
        who whom whose when where wer wen wem wessen wann wo qui quand où quién quiénes cuándo dónde
        quando quem onde wie waar wanneer кто когда где
    """,
    "why": """
        why how warum wieso weshalb pourquoi cómo perché como waarom почему как
    """,
    "negation": """
        not no never none nor neither cannot without except unless isn't doesn't don't didn't wasn't
        aren't won't can't couldn't shouldn't wouldn't false incorrect wrong nicht kein keine keinen
        niemals ohne außer weder pas jamais sans aucun aucune ni nunca ningún ninguna salvo non
        senza mai sem não niet geen zonder не без никогда
    """,
    "comparison": """
        more less than fewer greater larger smaller higher lower better worse faster slower older
        younger longer shorter cheaper twice thrice half double triple times most same different
        difference versus vs mehr weniger als größer kleiner doppelt plus moins double moitié menor
        más menos doble maggiore minore più meno больше меньше
    """,
    "connective": """
        if when whenever because therefore thus hence since however although though but so then
        after before until during while whether suppose assume assuming given otherwise provided let
        instead despite wenn weil daher deshalb jedoch obwohl aber dann nachdem bevor während sei
        seien angenommen si parce donc cependant bien mais puis alors après avant soit supposons
        porque entonces pero aunque después antes mientras supongamos perché quindi però sebbene
        dopo mentre omdat dus maar если потому поэтому но пусть
    """,
    "constraint": """
        must should shall may exactly only least respectively satisfy satisfies satisfying such
        ensure ensures avoid using required requirement requirements constraint constraints each
        every all any both either total always maximum minimum limit format strictly words sentences
        bullet bullets json csv table schema paragraphs muss müssen soll sollen genau nur mindestens
        höchstens jede jeder jedes alle doit doivent exactement seulement moins chaque tous toutes
        debe deben exactamente sólo solamente cada todos todas deve devono esattamente ogni tutti
        должен ровно только каждый все
    """,
    "steps": """
        step steps firstly secondly thirdly finally lastly stepwise schritt schritte zuerst
        schließlich étape étapes d'abord ensuite enfin paso pasos primero luego finalmente passo
        passi infine шаг шаги сначала затем
    """,
    "maths": """
        integer integers equation equations polynomial polynomials probability probabilities
        matrix matrices primes integrals perimeter modulo sqrt frac infinitely rational irrational
        differentiable converges diverges eigenvalue eigenvalues permutation permutations
        combinatorics manifold algebra algebraic geometry isomorphic isomorphism bijection injective
        surjective primzahl primzahlen gleichung gleichungen wahrscheinlichkeit nombres équation
        équations probabilité irrationnel irrationnelle número números primo primos ecuación
        ecuaciones probabilidad irracional numero numeri equazione probabilità irrazionale простых
        чисел уравнение вероятность
    """,
    "code": """
        def elif async await printf println const enum boolean impl struct typedef nullptr null
        python javascript typescript java rust golang kotlin haskell sql regex algorithm algorithms
        recursion recursive api apis backend frontend docker kubernetes compiler segfault traceback
        stacktrace multithreaded mutex deadlock unittest pytest tuple tuples indexerror typeerror
        valueerror keyerror attributeerror importerror программа код
    """,
    "data": """
        dataframe dataframes pandas polars numpy scipy sklearn pytorch tensorflow keras dask pyspark
        xgboost lightgbm matplotlib seaborn plotly regression logistic
        classifier classification clustering cluster pca dataset datasets overfitting underfitting
        regularization regularisation hyperparameter hyperparameters validation variance bias
        covariance correlation correlated confidence interval bayesian posterior likelihood gradient
        backpropagation transformer embedding embeddings neural outlier outliers imputation
        confounder confounding causal forecasting forecast anova heteroscedasticity
        heteroskedasticity bootstrap sampling statistically distribution distributions metric
        metrics auc precision recall
    """,
    "example": """
        example examples instance beispiel exemple ejemplo esempio пример
    """,
    "person": """
        i he she they we my his her their him them us our himself herself themselves i'm i've ich er
        sie wir mein sein ihr il elle nous leur él ella nosotros su mi lui noi suo loro он она они
        мы
    """,
    "chore": """
        translate translates translation synonym synonyms antonym spell spelling rephrase reword
        capitalize lowercase uppercase typo typos grammar greeting haiku joke emoji übersetze
        übersetzen traduis traduire traduce traducir traduci переведи
    """,
    "greeting": """
        hi hello hey thanks thank thx ty bye goodbye ok okay yes yep cool great nice welcome cheers
        morning evening please sorry lol hallo danke tschüss bitte ja nein bonjour salut merci hola
        gracias adiós ciao grazie olá obrigado obrigada привет спасибо пока здравствуйте dankeschön
        servus moin oui bonsoir coucou revoir d'accord buongiorno buonasera buonanotte arrivederci
        stai tchau valeu bedankt goedemorgen goedenavond hoi doei dzięki dziękuję cześć widzenia
        дякую привіт merhaba selam teşekkürler teşekkür günaydın nasılsın hej takk hallå kiitos
        děkuji ahoj mulțumesc köszönöm γεια ευχαριστώ شكرا شكرًا مرحبا سلام תודה שלום
    """,
}

# Words that say something only in company: *product*, *function* and *good* mean many things.
_HINT_TEXT: dict[str, str] = {
    "maths": """
        triangle triangles circle prime vector vectors derivative integral sequence sequences root
        roots divisible sum product ratio log cos tan infinite continuous convergent determinant
        topology zahl zahlen unendlich wurzel dreieck stetig ganze nombre infinité racine fonction
        entier entiers infinitos raíz primi infiniti radice число бесконечно
    """,
    "code": """
        lambda console var void int str func fn undefined database endpoint exception exceptions
        concurrency thread threads git code function functions method methods script program
        programs programming array arrays dictionary string strings loop parser bug bugs funktion
        programm fonction fonctions programme código función programa codice funzione função функция
        функцию
    """,
    "greeting": """
        good night day sounds job guten gute morgen tag abend nacht vielen dank je ça va bene bonne
        nuit journée soirée buenos buenas días tardes noches bom boa dia tarde noite tudo bem tot
        ziens dzień dobry доброе добрый утро день вечер god morgon kväll صباح الخير
        السلام عليكم السلامة مع كيف حالك cảm ơn xin chào terima kasih selamat pagi
    """,
}
_COMPANY_TEXT: dict[str, str] = {
    "maths": "",
    "code": """
        write implement create build fix refactor debug develop return returns sort parse iterate
        compile print schreibe schreib schreiben implementiere programmiere erstelle écris
        écrivez implémente escribe escribir implementa scrivi escreva schrijf напиши реализуй
    """,
    "greeting": "",
}

# Found inside a word, since these scripts write no spaces. Only looked for in such text.
STEMS: dict[str, str] = {
    "证明": "proof",
    "證明": "proof",
    "証明": "proof",
    "증명": "proof",
    "示せ": "proof",
    "सिद्ध": "proof",
    "定理": "proof",
    "解释": "reasoning",
    "分析": "reasoning",
    "比較": "reasoning",
    "比较": "reasoning",
    "説明": "reasoning",
    "설명": "reasoning",
    "为什么": "why",
    "なぜ": "why",
    "代码": "code",
    "関数": "code",
    "函数": "code",
    "你好": "greeting",
    "谢谢": "greeting",
    "ありがとう": "greeting",
    "こんにちは": "greeting",
    "おはよう": "greeting",
    "さようなら": "greeting",
    "元気ですか": "greeting",
    "謝謝": "greeting",
    "您好": "greeting",
    "早上好": "greeting",
    "晚安": "greeting",
    "再见": "greeting",
    "안녕": "greeting",
    "감사합니다": "greeting",
    "고마워": "greeting",
    "धन्यवाद": "greeting",
    "नमस्ते": "greeting",
    "कैसे हैं": "greeting",
    "ขอบคุณ": "greeting",
    "สวัสดี": "greeting",
}

# Enough to say that a text is in a language that is read here, though no signal fired.
_FUNCTION_WORDS = """
    the a an of in on at by for with from to is are was were be do does did what what's which that
    this it you your me can could would will write give tell make name list
    der die das ein eine und ist sind was welche mir den von mit für auf
    le la les un une des du de et est sont que quel quelle quelles pour dans sur avec
    el los las una y es son qué cuál para con en por il lo gli e sono che di per o os as é um uma
    het een en zijn wat и в на что это
"""


def _by_word() -> dict[bytes, str]:
    """Turn the lists into one look-up; of a word in two lists the first one counts."""
    found: dict[bytes, str] = {}
    for signal, text in _TEXT.items():
        for word in text.split():
            found.setdefault(word.encode(), signal)
    return found


def _words(text: str) -> frozenset[bytes]:
    """Split one list."""
    return frozenset(text.encode().split())


WORDS: dict[bytes, str] = _by_word()
HINTS: dict[str, tuple[frozenset[bytes], frozenset[bytes]]] = {
    signal: (_words(text), _words(_COMPANY_TEXT[signal])) for signal, text in _HINT_TEXT.items()
}
"""By signal: words of which two are heard, or one beside a word of the second set."""
KNOWN: frozenset[bytes] = frozenset(WORDS).union(
    _words(_FUNCTION_WORDS), *(hints for hints, _ in HINTS.values())
)
