"""The grammar of stump speeches: campaign talk without a candidate, a party or a country. Every name and place is invented.

What makes it worth learning stands apart: a subject and its verb around a relative clause, "last year" and "opened", a name and
"he" or "she", "both" and "and", "not" and "but", a topic and its people, the words that open a question and the sign that ends it.
The distances are short enough for a small network to learn them in a minute, and too long for a table of n-grams.
"""

from functools import cache

from .grammar import Grammar

RULES = """
SPEECH: 34* FACT END | 30* TIMED END | 21* QUESTION ? | 12* STORY END | 4* THANKS END
END: 5* . | 1* !

# Facts: the verb agrees with its subject, over a relative clause whose object may be of the other number; "both" asks for an "and".
FACT: 6* ONE MIND +s AIM | 6* MANY MIND AIM | 2* TOPIC MIND AIM
ONE: 2* every PERSON in TOWN | 4* every PERSON who DO +s THING
MANY: 2* PERCENT of our PERSON +s | 2* both our PERSON +s and our PERSON +s | 4* the PERSON +s who DO THING
TOPIC: on health , our HEALTH_PERSON +s | on schools , our SCHOOL_PERSON +s | on work , our WORK_PERSON +s
MIND ~ need | want | expect | deserve
THING: every PLACE | our PLACE +s

# Time: the first words decide the tense of the verb.
TIMED: 4* FUTURE , TEAM will DO OBJECT | 3* PAST , TEAM DO +ed OBJECT
PAST ~ last year | long ago | when I was young
FUTURE ~ next year | from day one | when I am elected | in my first year
TEAM: 1* we | 1* our PERSON +s
DO ~ open | fund | repair | guard | expand | clean | light | paint
OBJECT: NUMBER PLACE +s in TOWN

# Questions: what opens one is answered by "more" or "or", and that by the sign at the end.
QUESTION: 3* who will DO MORE | 2* can NAME DO MORE | 2* do you MIND GOOD or GOOD
MORE: NUMBER more PLACE +s in TOWN

# Names: the first one decides between he and she.
STORY: WOMAN , AGE , says she MIND +s AIM | MAN , AGE , says he MIND +s AIM
AGE: LEAD DIGIT
THANKS: thank you , NAME , for DO +ing OBJECT
NAME: WOMAN LAST | MAN LAST
WOMAN ~ Nora | Grace | Lucy | Ivy | Hanna | Clara | Mary | Edith | Rosa
MAN ~ Omar | Felix | Hugo | Paul | Simon | Ben | Peter | Adam | Leo
LAST ~ Ashby | Marlow | Fenn | Oakes | Quill | Tandy | Renn | Birk | Mott
TOWN ~ Milford | Eastvale | Oxley | Kingsport | Lakemoor | Harrow | Ashton | Dunby | New Hale | Redhill | Weston | Fairlake

# Numbers.
SUM: DOLLARS SCALE | DOLLARS DIGIT SCALE
DOLLARS ~ $2 | $4 | $3 | $7 | $9 | $8 | $6
SCALE: 3* million | 2* billion
NUMBER: 3* LEAD DIGIT | 3* LEAD DIGIT +0 | 2* LEAD , DIGIT DIGIT +0
PERCENT: LEAD DIGIT %
DIGIT ~ +0 | +5 | +2 | +4 | +8 | +6 | +1 | +3 | +7 | +9
LEAD ~ 1 | 2 | 3 | 5 | 4 | 8 | 6 | 7 | 9

# People, things and aims.
PLACE ~ school | road | clinic | farm | park | bridge | shelter | college | harbor | market | museum | station | hospital | garden | tunnel
PERSON: HEALTH_PERSON | SCHOOL_PERSON | WORK_PERSON
HEALTH_PERSON ~ nurse | doctor | patient | carer
SCHOOL_PERSON ~ teacher | student | parent | pupil | tutor
WORK_PERSON ~ worker | farmer | driver | builder | baker | sailor | miner
AIM: 5* GOOD | 1* SUM for GOOD | 1* not WOE but GOOD
GOOD: QUALITY MATTER
QUALITY ~ better | fair | safe | clean | honest | strong | modern | good | new | cheap | decent
MATTER ~ jobs | schools | homes | rules | streets | wages | energy | courts | water | work | trains | laws | food | air | pensions
WOE: BAD BURDEN
BAD ~ empty | higher | endless | old
BURDEN ~ promises | taxes | debts | excuses | speeches | delays
"""


@cache
def grammar() -> Grammar:
    """The grammar of stump speeches, made once."""
    return Grammar(RULES)
