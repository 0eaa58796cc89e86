"""Words for the ads: what is sold where, in seven languages, by people with names.

Titles and texts are put together from parts that fit whatever the noun is, so that no language
needs declension.
"""

CITIES = {
    "de": ("München", "Köln", "Düsseldorf", "Würzburg", "Zürich", "Wien", "Lübeck", "Görlitz"),
    "el": ("Αθήνα", "Θεσσαλονίκη", "Πάτρα", "Ηράκλειο", "Βόλος"),
    "en": ("London", "Bristol", "Leeds", "Dublin", "Cork", "Aberdeen"),
    "es": ("Málaga", "Cádiz", "A Coruña", "León", "Sevilla"),
    "fr": ("Orléans", "Besançon", "Nîmes", "Genève", "Liège", "Saint-Étienne"),
    "it": ("Forlì", "Milano", "Cefalù", "Torino", "Bari"),
    "pl": ("Łódź", "Kraków", "Gdańsk", "Wrocław", "Poznań"),
}

# What is sold: nouns by language, makes or titles that stand behind them, a sign, a usual price.
THINGS = {
    "bikes": {
        "de": ("Rennrad", "Lastenrad", "Damenrad", "Mountainbike", "E-Bike"),
        "el": ("Ποδήλατο πόλης", "Ποδήλατο βουνού", "Ηλεκτρικό ποδήλατο"),
        "en": ("Racing bike", "Cargo bike", "Folding bike", "Mountain bike", "Tandem"),
        "es": ("Bicicleta de carretera", "Bici plegable", "Bicicleta eléctrica"),
        "fr": ("Vélo de course", "Vélo pliant", "VTT", "Vélo électrique", "Vélo cargo"),
        "it": ("Bici da corsa", "Bici pieghevole", "Mountain bike", "Bicicletta da città"),
        "pl": ("Rower szosowy", "Rower górski", "Rower składany", "Rower elektryczny"),
    },
    "cars": {
        "de": ("Kombi", "Kleinwagen", "Cabrio", "Wohnmobil", "Lieferwagen"),
        "el": ("Αυτοκίνητο πόλης", "Ημιφορτηγό", "Τροχόσπιτο"),
        "en": ("Estate car", "Hatchback", "Camper van", "Convertible"),
        "es": ("Coche familiar", "Furgoneta", "Autocaravana", "Descapotable"),
        "fr": ("Break familial", "Citadine", "Camping-car", "Utilitaire"),
        "it": ("Station wagon", "Utilitaria", "Camper", "Furgone"),
        "pl": ("Samochód kombi", "Auto miejskie", "Kamper", "Kabriolet"),
    },
    "flats": {
        "de": ("Altbauwohnung", "Dachgeschosswohnung", "WG-Zimmer", "Reihenhäuschen"),
        "el": ("Διαμέρισμα", "Γκαρσονιέρα", "Ρετιρέ με θέα"),
        "en": ("Flat", "Loft", "Room in a shared house", "Basement flat"),
        "es": ("Piso", "Ático con terraza", "Habitación", "Estudio céntrico"),
        "fr": ("Appartement", "Studio meublé", "Chambre en colocation", "Loft"),
        "it": ("Appartamento", "Monolocale", "Mansarda", "Stanza singola"),
        "pl": ("Mieszkanie", "Kawalerka", "Pokój", "Poddasze"),
    },
    "phones": {
        "de": ("Handy", "Smartphone", "Tablet", "Kopfhörer"),
        "el": ("Κινητό", "Τάμπλετ", "Ακουστικά"),
        "en": ("Phone", "Tablet", "Headphones", "Smart watch"),
        "es": ("Móvil", "Tableta", "Auriculares"),
        "fr": ("Téléphone", "Tablette", "Casque audio"),
        "it": ("Telefono", "Tablet", "Cuffie"),
        "pl": ("Telefon", "Tablet", "Słuchawki"),
    },
    "furniture": {
        "de": ("Küchentisch", "Bücherregal", "Ohrensessel", "Sofa für drei", "Kleiderschrank"),
        "el": ("Τραπέζι κουζίνας", "Βιβλιοθήκη", "Πολυθρόνα", "Καναπές"),
        "en": ("Kitchen table", "Bookshelf", "Wing chair", "Sofa", "Wardrobe"),
        "es": ("Mesa de cocina", "Estantería", "Sillón", "Sofá"),
        "fr": ("Table de cuisine", "Bibliothèque", "Fauteuil", "Canapé", "Armoire"),
        "it": ("Tavolo da cucina", "Libreria", "Poltrona", "Divano"),
        "pl": ("Stół kuchenny", "Regał na książki", "Fotel", "Sofa", "Szafa"),
    },
    "music": {
        "de": ("Akustikgitarre", "Geige", "Klavier", "Schlagzeug", "Querflöte"),
        "el": ("Κιθάρα", "Μπουζούκι", "Βιολί", "Πιάνο"),
        "en": ("Acoustic guitar", "Violin", "Upright piano", "Drum kit", "Accordion"),
        "es": ("Guitarra española", "Violín", "Piano", "Batería"),
        "fr": ("Guitare sèche", "Violon", "Piano droit", "Batterie", "Accordéon"),
        "it": ("Chitarra", "Violino", "Pianoforte", "Fisarmonica"),
        "pl": ("Gitara", "Skrzypce", "Pianino", "Perkusja"),
    },
    "books": {
        "de": ("Roman", "Kochbuch", "Reiseführer", "Bildband"),
        "el": ("Μυθιστόρημα", "Βιβλίο μαγειρικής", "Λεξικό"),
        "en": ("Novel", "Cookbook", "Travel guide", "Dictionary"),
        "es": ("Novela", "Libro de cocina", "Guía de viaje"),
        "fr": ("Roman", "Livre de cuisine", "Guide de voyage"),
        "it": ("Romanzo", "Libro di cucina", "Guida turistica"),
        "pl": ("Powieść", "Książka kucharska", "Przewodnik"),
    },
    "garden": {
        "de": ("Rasenmäher", "Hochbeet", "Gewächshaus", "Hängematte"),
        "el": ("Χλοοκοπτικό", "Θερμοκήπιο", "Αιώρα"),
        "en": ("Lawn mower", "Raised bed", "Greenhouse", "Hammock"),
        "es": ("Cortacésped", "Invernadero", "Hamaca"),
        "fr": ("Tondeuse à gazon", "Serre de jardin", "Hamac"),
        "it": ("Tagliaerba", "Serra da giardino", "Amaca"),
        "pl": ("Kosiarka", "Szklarnia", "Hamak"),
    },
}
MAKES = {
    "bikes": ("Bianchi", "Peugeot", "Cube", "Brompton", "Gazelle", "Trek", "Orbea"),
    "cars": ("Škoda Octavia", "Fiat Panda", "Citroën C3", "VW Golf", "SEAT León", "Mini"),
    "flats": ("",),
    "phones": ("Fairphone 5", "Pixel 8", "Galaxy S22", "Xperia 10", "Nokia 3310"),
    "furniture": ("Billy", "Thonet", "Ligne Roset", "Kare", "Hülsta"),
    "music": ("Yamaha", "Höfner", "Fender", "Steinway", "Hohner", "Klöckner"),
    "books": ("»Faust«", "“Ulysses”", "«Οδύσσεια»", "« Les Misérables »", "„Pan Tadeusz”",
              "«Don Quijote»", "«I promessi sposi»"),
    "garden": ("Bosch", "Gardena", "Stihl", "Husqvarna"),
}
SIGNS = {"bikes": "🚲", "cars": "🚗", "flats": "🏠", "phones": "📱", "furniture": "🛋️",
         "music": "🎸", "books": "📚", "garden": "🌻"}
PRICES = {"bikes": 320, "cars": 6800, "flats": 890, "phones": 210, "furniture": 120,
          "music": 340, "books": 8, "garden": 90}

STATES = {
    "de": ("wie neu", "kaum benutzt", "guter Zustand", "mit Rechnung", "für Bastler"),
    "el": ("σε άριστη κατάσταση", "ευκαιρία", "με απόδειξη", "σαν καινούργιο"),
    "en": ("like new", "hardly used", "good condition", "with receipt", "needs some love"),
    "es": ("como nuevo", "buen estado", "con factura", "ganga", "poco uso"),
    "fr": ("très bon état", "peu servi", "avec facture", "à saisir", "à réparer", "prix sacrifié"),
    "it": ("ottimo stato", "come da foto", "con scontrino", "affare", "da sistemare"),
    "pl": ("stan idealny", "mało używane", "z paragonem", "okazja", "do naprawy"),
}
TITLES = {
    "de": ("{thing} {make}, {state}", "Verkaufe {thing} {make}", "{thing} {make} – {state}!",
           "{state}: {thing} {make} in {city}"),
    "el": ("{thing} {make}, {state}", "Πωλείται: {thing} {make}", "{thing} {make} – {city}"),
    "en": ("{thing} {make}, {state}", "For sale: {thing} {make}", "{thing} {make} – {state}!",
           "{thing} {make} in {city}"),
    "es": ("{thing} {make}, {state}", "Vendo {thing} {make}", "¡{state}! {thing} {make}"),
    "fr": ("{thing} {make}, {state}", "Vends {thing} {make}", "{thing} {make} – {state} !",
           "À {city} : {thing} {make}"),
    "it": ("{thing} {make}, {state}", "Vendo {thing} {make}", "{thing} {make} a {city}"),
    "pl": ("{thing} {make}, {state}", "{thing} {make} – {state}!", "{city}: {thing} {make}"),
}
SENTENCES = {
    "de": ("Abholung in {city}, Versand ist möglich.", "Nichtraucherhaushalt, keine Haustiere.",
           "Privatverkauf: keine Rücknahme, keine Garantie.", "Der Preis ist verhandelbar.",
           "Wir ziehen um und haben leider keinen Platz mehr 😢", "Einfach schreiben, Grüße!",
           "Läuft einwandfrei, ein paar Kratzer hat's natürlich.",
           "Bitte nur ernst gemeinte Anfragen."),
    "el": ("Παραλαβή από {city} ή αποστολή με έξοδα παραλήπτη.", "Η τιμή είναι συζητήσιμη.",
           "Λειτουργεί άψογα, χωρίς φθορές.", "Στείλτε μήνυμα, απαντώ αμέσως 🙂",
           "Πωλείται λόγω μετακόμισης.", "Μόνο σοβαρές προτάσεις, παρακαλώ."),
    "en": ("Collection from {city}, or I'll post it.", "From a smoke-free home.",
           "Works perfectly; a few scratches, as you'd expect.", "Price is negotiable.",
           "We're moving and there's no room for it any more 😢", "No time wasters, please.",
           "Bought two years ago for twice the price.", "Message me, I answer quickly 👍"),
    "es": ("Recogida en {city} o envío a cargo del comprador.", "Precio negociable.",
           "Funciona perfectamente, con algún arañazo.", "Se vende por mudanza 📦",
           "Escríbeme sin compromiso, ¿vale?", "Abstenerse curiosos."),
    "fr": ("À venir chercher à {city}, envoi possible.", "Prix à débattre.",
           "Fonctionne très bien, quelques traces d'usage.", "Cause déménagement 📦",
           "Maison non-fumeur, sans animaux.", "Écrivez-moi, je réponds vite !",
           "Acheté il y a deux ans, le double du prix."),
    "it": ("Ritiro a {city}, spedizione possibile.", "Prezzo trattabile.",
           "Perfettamente funzionante, qualche graffio c'è.", "Vendo per trasloco 📦",
           "Perché lo vendo? Non c'è più spazio!", "No perditempo, grazie."),
    "pl": ("Odbiór osobisty: {city}, możliwa wysyłka.", "Cena do negocjacji.",
           "Działa bez zarzutu, drobne ślady użytkowania.", "Sprzedaję z powodu przeprowadzki 📦",
           "Proszę o poważne oferty.", "Chętnie odpowiem na pytania 🙂"),
}
EDITS = {
    "de": ("Nachtrag: auch Tausch möglich.", "Noch da!", "Fotos folgen später 📷"),
    "el": ("Ακόμα διαθέσιμο!", "Δεκτές και ανταλλαγές."),
    "en": ("Edit: still available!", "Would also swap.", "Photos to follow 📷"),
    "es": ("¡Sigue disponible!", "También cambio."),
    "fr": ("Toujours disponible !", "Échange possible aussi.", "Photos à venir 📷"),
    "it": ("Ancora disponibile!", "Valuto anche scambi."),
    "pl": ("Nadal aktualne!", "Możliwa zamiana."),
}
# What people write that software likes to trip over.
ODD = ('26" wheels & <b>TOP</b> price!', "it's 100 % \\o/ legit; drop in", "C:\\temp\\foto.jpg",
       "zwei\nZeilen\tund ein Tabulator",
       "👨‍👩‍👧‍👦 family of 4 – ﷽ – ½ price", "'; -- quoted \"so\"",
       "Ǆ ﬁ ẞ İı 𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "null", "{\"not\": \"json\"")

COLOURS = {
    "de": ("grün", "weiß", "schwarz", "rot"), "el": ("πράσινο", "μαύρο", "λευκό"),
    "en": ("green", "black", "white", "red"), "es": ("verde", "negro", "marrón"),
    "fr": ("vert", "noir", "bordeaux"), "it": ("verde", "nero", "bianco"),
    "pl": ("zielony", "czarny", "żółty"),
}

FIRST_NAMES = {
    "de": ("Jürgen", "Käthe", "Sören", "Heike", "Björn", "Ursula"),
    "el": ("Γιώργος", "Ελένη", "Κώστας", "Μαρία", "Σοφία"),
    "en": ("Emily", "Harry", "Siobhán", "Oliver", "Zoë"),
    "es": ("José", "Begoña", "Íñigo", "Lucía"), "fr": ("Chloé", "François", "Maëlle", "Théo"),
    "it": ("Niccolò", "Giulia", "Matteo", "Chiara"),
    "pl": ("Łukasz", "Małgorzata", "Paweł", "Zofia"),
}
LAST_NAMES = {
    "de": ("Müller", "Groß", "Schäfer", "König"), "el": ("Παπαδόπουλος", "Νικολάου", "Δήμου"),
    "en": ("O'Brien", "Smith", "MacLeod"), "es": ("Muñoz", "García", "Ibáñez"),
    "fr": ("Lefèvre", "d'Estrées", "Gauthier"), "it": ("D'Angelo", "Rossi", "Nicolò"),
    "pl": ("Wiśniewski", "Dąbrowska", "Żuk"),
}
SHOPS = {
    "de": ("Radhaus {city}", "Trödel & Söhne", "Möbelhalle {city}"),
    "el": ("Παλαιοπωλείο {city}", "Στέκι {city}"),
    "en": ("{city} Salvage Ltd", "Second Chance {city}"),
    "es": ("El Rastro de {city}", "Segunda Mano {city}"),
    "fr": ("Brocante {city}", "Chez l'Écureuil"), "it": ("Mercatino {city}", "Bottega del Caffè"),
    "pl": ("Komis {city}", "Antykwariat «Żaba»"),
}
