"""General English word lists of the offline model, as plain data; no word of any scenario, team or document.

The lists hold whole words; `words.py` stems them. Only groups that hold in any field belong here: a word pair that
helps one set of documents is a leak, not knowledge.
"""

# Words that carry no topic. They are tested before and after stemming ("gets" is one only as "get").
STOP = """
a about above after again all also am an and any anybody anyone anything are aren as at away b back be because been
before being below between both but by c can cannot could couldn d did didn do does doesn doing don done during e
each either else etc even ever every everything few for from further get got had hadn has hasn have haven having he
hence her here hers herself him himself his how however i if in into is isn it its itself just kindly ll least less
let lets ltd m ma made make may maybe me might mine more most much must my myself need neither no nor not now o of
off ok okay on once one only onto or other others ought our ours ourselves out over per please quite rather re
really s same shall shan she should shouldn since so some somebody someone something soon still such t than thank
thanks that the their theirs them themselves then there therefore these they thing this those though through thus
till to too toward towards u under until up upon us use used uses using ve versus very via was wasn we well were
weren what whatever when whenever where wherever whether which while who whoever whom whose why will with within
without won would wouldn yes yet you your yours yourself yourselves hi hello hey dear greetings regards sincerely
cheers sorry morning afternoon evening tell know want wish like possible possibly actually currently exactly able
"""

# Topic words that are so common in questions that missing or finding them says little.
GENERIC = """
way work thing start many mean kind sort type different good best right happen go come take give keep put try look
see find say set new whole general several support handle allow provide include follow available create add call
case example default detail information problem question answer request people person someone day own certain
instead product together everywhere elsewhere simply easily directly properly really two three four five six seven eight
nine ten
"""

# What a question asks for in number or time; the answer rarely repeats these words.
MEASURES = """
many much long often number amount count time day week month year hour minute second date cost price percent
percentage size
"""

# Weekdays and the like place the asker in time; documents seldom repeat them.
MOMENTS = """
monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight week weekend ago last next
already yet recently lately
"""

# First words of an instruction to answer, and the words that say in what form; they are not what is asked about.
ASKING = """
write describe explain summarise summarize tell show give list find outline sketch draft prepare compose produce
report compile collect present discuss brief check look
"""
FORM = """
brief summary overview report note memo paragraph sentence citation cite quote source document documentation docs
text page short concise answer reply list line bullet word detail file folder
"""

# Words of one meaning, or near enough that a document which says the one often answers a question which says the other.
SYNONYMS = """
limit maximum max cap ceiling
minimum min floor
fire terminate severance dismiss layoff redundancy
pet animal
start begin launch initiate
stop halt abort cancel interrupt terminate
delete remove erase discard purge
create build generate construct make
change modify edit update alter adjust switch replace
show display print render view
error exception failure fail fault crash
raise throw
wait sleep pause delay
timeout deadline expire
late delay overdue
fast quick speed performance
cost price fee charge
pay payment paid
refund reimburse repay
deliver delivery ship shipment shipping dispatch arrive arrival transit
parcel package shipment
order purchase buy
return exchange
broken damaged defective faulty
vacation holiday leave absence pto
salary pay wage compensation
sick illness health medical
parental maternity paternity baby
employee staff worker colleague
manager boss supervisor
job position role
password credential
login authenticate authentication
email mail
phone telephone call
directory folder path
configure configuration setting setup option preference
test verify check validate
thread concurrent parallel simultaneous
async asynchronous
sync synchronous blocking
function callable method routine
argument parameter
environment env
default fallback
colour color style
command cli
terminal shell console
legal law lawyer attorney court sue lawsuit litigation solicitor
threat threaten
angry furious outrage outraged upset unacceptable rage
human person agent operator representative
speak talk
discount coupon voucher rebate
bill invoice
receipt confirmation
warranty guarantee
subscription membership
secure safe protect security safety
hide mask redact conceal
combine merge join
split separate divide
write save store persist
read load fetch get retrieve
send transmit submit
receive accept
convert transform cast
choose select pick
multiple several many
allow permit enable
forbid prohibit disallow prevent disable
required mandatory compulsory
optional voluntary
size large big
count number
repeat retry
travel trip journey
remote home
laptop computer equipment machine
training course education conference
bonus reward
quit resign
hire recruit
customer client
message notification notify alert
log logging
subprocess process
network socket connection
encrypt tls ssl
question ask prompt query
foreign abroad international overseas
address location
lost missing
dict dictionary mapping
immutable frozen readonly constant
own custom customized personal
convert turn
parent superclass ancestor
child subclass descendant
inherit derive extend
constructor initializer
early premature
leave exit quit break
exclude omit skip ignore
include contain embed
nested inner inside
list array sequence collection
text string
integer int
boolean bool flag
url uri link
app application program software
library package module
upgrade update
admin administrator
permission right privilege
field attribute property column
record row entry
identifier id
sort order arrange
register enroll
hook callback handler listener
plugin extension addon
signal event
lock mutex
clean cleanup clear
duplicate copy clone
compare equality equal
unique distinct
invalid wrong incorrect malformed
debug troubleshoot diagnose
traceback stacktrace
serialize dump encode
deserialize parse decode
restrict limit constrain
"""

# What is true of a kind is true of its members; what is true of one member says nothing about another.
KINDS = """
pet animal: dog cat rabbit bird hamster
vehicle: car truck van bus lorry motorcycle
fruit: apple banana orange pear cherry
furniture: chair table desk sofa shelf
clothing clothes: shirt dress coat jacket trousers shoe
relative family: mother father sister brother aunt uncle cousin
document: contract letter certificate passport
device: phone tablet laptop printer camera
metal: iron gold silver copper steel
card: visa mastercard amex
"""

# Verbs that mean something else with a second word: the verbs, that word, and what the two mean together.
PHRASES = """
turn switch off: disable deactivate
turn switch on: enable activate
turn change into: convert transform
give up: stop abandon quit
get rid: remove delete
go wrong: fail error
leave out: exclude omit skip
try again: retry
log sign in: login authenticate
log sign out: logout
time out: timeout
back up: backup
carry out: perform execute
put off: postpone delay
call off: cancel
hand in: submit
send give bring take back: return
fill in: complete
throw away: discard
keep prevent from: prevent block avoid
take part: participate
run out: exhausted
"""

# Verbs of tools that act, by what they do; any verb of a group orders a tool whose verb is in the group.
ACTS = """
cancel abort revoke withdraw
refund reimburse repay
delete remove erase purge drop wipe destroy
send mail email transmit forward notify message text
pay transfer charge bill
create open file raise add insert register make
update change set mark edit modify adjust alter rename move
write save store append overwrite
book reserve schedule
buy purchase order
close resolve
grant give allow permit assign invite promote
block ban suspend disable deactivate lock
enable activate unlock unblock
approve accept confirm
reject decline deny
post publish share upload submit
run execute deploy start launch restart reboot trigger
stop halt shut kill terminate
reset clear empty
escalate
issue
merge push commit
subscribe unsubscribe
"""

# Verbs of tools that only look.
READS = """
search find get list read look lookup fetch show query view check count browse retrieve locate describe inspect
summarize calculate compute convert compare track estimate lookup grep
"""

# What members of a team do, by the stage of the work at which they do it.
GATHERS = """
gather search read find look collect analyse analyze investigate research retrieve lookup query evidence data
database fact knowledge inspect fetch explore record source know
"""
PRODUCES = (
    "write draft compose author formulate word phrase summarise summarize reply prose letter produce edit scribe answer"
)
CHECKS = "review verify check critic judge audit proofread validate examine test control quality inspector assess"

# Polarity of choices: which end of a scale a value or its description stands for.
POSITIVE = """
accept approve approved found answer answered yes full fully complete completed sufficient enough supported certain
sure confirm confirmed resolve resolved pass passed ok good correct valid proceed continue done success successful
ready clear covered high strong solve solved known grounded finish finished agree satisfied satisfy
"""
MIDDLE = """
possibly possible partly partial partially maybe perhaps revise revised replan improve unsure uncertain unclear some
medium moderate retry again another change correction part others corrected repair rework redo adjust limited mixed
related
"""
NEGATIVE = """
reject rejected fail failed missing insufficient unknown unanswered refuse refused deny denied decline impossible
wrong invalid empty absent low weak unsupported bad unable stuck blocked unfounded hopeless unusable
"""
# The last resort: whatever else may still be tried comes before it.
WORST = "escalate person human handover"
NEGATIONS = """
not no never nothing none neither nor without cannot can't don't doesn't won't isn't aren't didn't hardly n't nobody
lack lacks
"""

# Whom a hard case goes to: the words alone do not make a request one.
PERSONS = "person human agent operator representative customer client user someone staff member team employee"
