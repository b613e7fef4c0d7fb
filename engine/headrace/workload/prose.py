"""English sentences, written for this project, from which sample traces are composed."""

QUESTIONS = {
    "water": (
        "How does a headrace bring water to a wheel?",
        "Why do mill ponds silt up?",
        "What decides the size of a spillway?",
        "How is the flow in a channel measured?",
    ),
    "computing": (
        "What happens when a cache is too small for its working set?",
        "How does an operating system choose the next process?",
        "Why are writes to disk collected before they are sent?",
        "What is the difference between latency and throughput?",
    ),
    "cooking": (
        "Why does bread need to rest before it is shaped?",
        "How long should beans be soaked?",
        "What keeps a sauce from splitting?",
        "How do you keep a knife sharp?",
    ),
    "gardens": (
        "When should apple trees be pruned?",
        "How is heavy soil made lighter?",
        "What grows well in the shade of a wall?",
        "How often should a compost heap be turned?",
    ),
    "railways": (
        "How do signals keep trains apart?",
        "Why are rails laid with a slight inward lean?",
        "What limits the speed of a train in a curve?",
        "How is ballast cleaned?",
    ),
    "sky": (
        "Why does the moon look larger near the horizon?",
        "How do astronomers measure the distance of a star?",
        "What makes a good site for a telescope?",
        "Why do some comets come back?",
    ),
}

_SENTENCES = {
    "water": """
A headrace is the channel that carries water from the weir to the wheel.
Its slope is kept gentle so that little of the height is spent on the way.
Where the ground falls too fast, the channel is cut along the hillside and follows the contour.
A sluice at the intake closes the channel when the wheel has to be repaired.
Leaves and branches collect on the screen in front of the penstock and have to be raked off by hand.
The tailrace takes the water back to the river below the mill.
In a dry summer the miller waits until the pond is full and works only a few hours a day.
A pond loses depth every year because the river slows down in it and drops its silt.
Engineers size a spillway for a flood that comes once in several hundred years.
The level behind the weir rises by a hand's breadth when the stream doubles.
A notch of known shape turns a reading of the water level into a flow.
Clay was rammed into the banks in thin layers, each walked down by cattle before the next was laid.
An overshot wheel turns slowly and uses the weight of the water more than its speed.
A breast wheel takes the water at the height of its axle and suits a modest fall.
Turbines replaced wheels once iron could be cast in curved blades of the same shape.
Ice on the pond was sawn into blocks in January and stored under sawdust until autumn.
A surge tank gives the water in a long pipe somewhere to go when a valve closes quickly.
Without it the pressure would travel back up the pipe as a wave and could burst a joint.
Fish pass the weir by a staircase of small pools at the side of the stream.
The right to draw water was fixed by a mark cut into a stone at the edge of the pond.
""",
    "computing": """
A cache keeps what was used a moment ago in the hope that it will be used again soon.
When the working set is larger than the cache, almost every access has to go to the slower memory.
The scheduler keeps a queue of processes that are ready and gives each of them a slice of time.
A process that waits for a disk leaves the queue and comes back when its data has arrived.
Writes are gathered in a buffer because one large transfer costs less than many small ones.
Latency is the time that one request takes, and throughput is how many requests are done in a second.
A system can have a high throughput and still keep a single user waiting.
Queues grow without limit when work arrives faster than it can be served.
At nine tenths of its capacity a server already has a long line in front of it.
A page that was changed in memory has to be written back before its frame can be given away.
Batching helps until the batch is so large that its first member waits for the last.
Two threads that need the same two locks should always take them in the same order.
A log that is only ever appended to can be read from the start after a crash.
Compilers move loads forward so that the processor has something to do while it waits.
A checksum tells that a block was damaged but not how to repair it.
Most of the time of a program is spent in a small part of its code.
A tree with wide nodes finds a key with few reads, which matters when each read is slow.
Copying memory is cheap per byte and expensive per call.
A prefetcher that guesses wrong takes bandwidth from those who asked.
The first measurement after a start is usually the slowest and should be dropped.
""",
    "cooking": """
Dough rests so that the flour can take up the water and the gluten can relax.
A dough that springs back when it is pressed is not ready to be shaped.
Dried beans are covered with three times their volume of water and left overnight.
Salt in the soaking water makes the skins tender.
A sauce of egg and butter splits when it becomes too hot or when the butter is added too fast.
A spoonful of cold water, beaten in at the edge of the pan, often brings it back.
Onions need a quarter of an hour in a heavy pan before they turn sweet.
A knife is drawn over the stone at the same angle from heel to tip, first one side and then the other.
Stock should never boil, because the fat would be beaten into it and make it cloudy.
Rice is washed until the water runs clear and then left to drain.
A roast goes on cooking for some minutes after it has left the oven.
Bitter greens lose their edge when they are blanched and pressed dry.
Lemon juice keeps a cut apple from turning brown.
Spices give more of their scent when they are warmed in a dry pan before they are ground.
The crust of a loaf stays crisp if it cools on a rack.
A cake is done when a thin skewer comes out of it clean.
Vinegar added at the end is brighter than vinegar that was cooked.
Milk that is heated slowly is less likely to catch on the bottom of the pot.
Yeast works twice as fast in a warm kitchen as in a cool pantry.
Leftover bread becomes crumbs, dumplings or a thick soup.
""",
    "gardens": """
Apple trees are pruned in late winter, when the buds are still asleep and the frame can be seen.
A cut is made just above a bud that points outwards.
Heavy soil becomes lighter when sand and compost are dug in over several years.
It should never be walked on when it is wet.
A wall that faces north suits ferns, ivy and a patient quince.
The heap is turned when its middle has cooled, which is about once a month in summer.
Straw between the rows keeps the weeds down and the moisture in.
Seedlings that were raised indoors are put outside for a few hours a day before they are planted.
Beans climb to the left around a pole and will not be persuaded otherwise.
Slugs come out after rain and are easiest to find with a lamp.
A hedge that is cut a little narrower at the top keeps its leaves down to the ground.
Roses flower again when the old heads are taken off above the first full leaf.
Water given in the morning does more good than water given at noon.
Potatoes are earthed up twice so that the tubers do not turn green.
A border looks quieter when each plant appears in it more than once.
Clover in a lawn feeds the grass and the bees.
Bulbs are planted at three times their own depth.
The last frost comes in the middle of May, whatever the calendar of the seed merchant says.
Mint is best kept in a pot, since it will otherwise own the bed by August.
A barrel under the gutter fills in one good storm.
""",
    "railways": """
A line is divided into blocks, and no train may enter a block that another has not left.
The signal at the end of a block goes to danger by itself as soon as a wheel has passed it.
Rails lean inwards a little so that the wheels run on the middle of the rail's head.
Wheels are slightly conical, which lets an axle find its way through a curve without slipping.
In a curve the outer rail lies higher, and the speed is limited by how much the passengers will bear.
Ballast holds the sleepers in place and lets the rain run off.
Every few years a machine lifts the track, sieves the stones and puts the clean ones back.
Long welded rails are laid at a middling temperature so that they neither buckle nor break.
A freight train needs more than a kilometre to stop.
Points are heated in winter to keep the blades free of ice.
The timetable leaves a few minutes in every hour for what nobody foresaw.
A delay of one train spreads to the others where they share a platform.
Single lines have loops in which trains can pass each other.
The guard's van disappeared when the brakes of all the wagons were joined by a pipe.
Steam engines stopped for water every hundred kilometres or so.
Stations were built a little above the line, so that trains climbed as they slowed down.
An overhead wire zigzags from mast to mast to spread the wear of the collector.
Tunnels are driven with a slope on each side so that they drain themselves.
Sand blown under the wheels helps an engine to start on wet rails.
A signal box of the old kind held a lever for every point within a mile.
""",
    "sky": """
The moon is no larger near the horizon, but the eye compares it with trees and roofs.
A coin held at arm's length covers it wherever it stands.
The nearest stars shift against the far ones as the earth goes around the sun.
From half a year's shift and the width of the orbit the distance follows by plain geometry.
Telescopes are put on dry mountains where the air is thin and still.
City lights hide all but the brightest few hundred stars.
A comet that comes back moves on a long ellipse with the sun near one of its ends.
Its tail always points away from the sun, also on the way out.
Planets wander along the same narrow band in which the sun and the moon are seen.
A star that changes its brightness with a steady period tells how bright it truly is.
The light of a galaxy is shifted to the red, and the more so the farther away it is.
Meteors of August come from dust that a comet left on its path.
An eclipse does not happen every month because the moon's orbit is tilted.
The pole star has not always marked the pole and will not do so for ever.
Mirrors replaced lenses in large telescopes because a mirror can be held from behind.
Sunspots come and go in a cycle of about eleven years.
Dark lines in the spectrum of the sun betray the metals in it.
A sidereal day is four minutes shorter than the day of a clock.
Saturn would float if there were a sea wide enough to hold it.
The faint band across the summer sky is our own galaxy, seen from the inside.
""",
}

SENTENCES = {topic: tuple(text.strip().splitlines()) for topic, text in _SENTENCES.items()}
