//! The words by which the parameter of a slot is recognised.
//!
//! Owns what each slot is called in tools of each role. No word here belongs to a particular server.

use super::words::Words;
use crate::probe::{Role, Slot};

/// How a slot's parameter is usually called and described.
pub(super) struct Meaning {
    /// Names that say it.
    pub(super) names: Words,
    /// Names that may say it.
    pub(super) weak: Words,
    /// Words in a name that contradict it.
    pub(super) against: Words,
    /// Values of `format`.
    pub(super) formats: Words,
    /// Words of a description.
    pub(super) phrases: Words,
}

const NOT_A_PLACE: Words = Words(
    "content text body data encoding type size line count pattern glob query regex \
         format mode limit offset number max min depth message version hash extension \
         exclude include language command description comment sheet cell range column row \
         table author tag",
);

const FILE_PHRASES: Words = Words("path file filename document uri location directory folder");

const READ_PATH: Meaning = Meaning {
    names: Words(
        "path filepath file filename pathname fullpath abspath src source input target \
         location document doc inputfile inputpath",
    ),
    weak: Words(
        "uri url name resource href note page title archive zip image notebook key \
         attachment link dir directory folder root project repo media",
    ),
    against: NOT_A_PLACE,
    formats: Words("path file-path filepath file uri uri-reference"),
    phrases: FILE_PHRASES,
};

const SAVE_PATH: Meaning = Meaning {
    names: Words(
        "path filepath file filename pathname fullpath abspath target location document doc \
         output out outputpath outputfile outfile outpath outputname outputfilename destination \
         dest destpath destinationpath saveto saveas savepath savefile exportpath exportto writeto",
    ),
    weak: Words(
        "uri url name resource href note page title archive zip image notebook key \
         attachment link dir directory folder root project repo media",
    ),
    against: Words(
        "content text body data encoding type size line count pattern glob query regex \
         format mode limit offset number max min depth message version hash extension \
         exclude include language command description comment sheet cell range column row \
         table author tag source src input from",
    ),
    formats: Words("path file-path filepath file uri uri-reference"),
    phrases: FILE_PHRASES,
};

const DIR_PATH: Meaning = Meaning {
    names: Words(
        "path dir directory folder dirname root location dirpath directorypath folderpath \
         rootpath repopath repo repository project projectpath workspace cwd workdir \
         workingdirectory base basepath repositorypath",
    ),
    weak: Words("target source src input uri name filepath url file vault prefix parent"),
    against: NOT_A_PLACE,
    formats: Words("path directory-path directory uri"),
    phrases: Words("path directory folder root repository location"),
};

const DESTINATION: Meaning = Meaning {
    names: Words(
        "destination dest dst to target output out saveto newpath topath targetpath \
         destinationpath destpath outputpath outputfile newname into targetdir outputdir \
         destdir extractto newfilename saveas savepath savefile savedir outfile outpath outdir \
         outputname outputfilename localpath localfile downloadpath downloadto storeas writeto \
         exportpath exportto backup backuppath backupto destfile destinationfile targetfile",
    ),
    weak: Words("path file filename filepath new name dir directory folder download location uri"),
    against: Words(
        "content text body data encoding type size source src from old pattern mode \
         format overwrite limit original",
    ),
    formats: Words("path file-path directory-path uri"),
    phrases: Words("destination target new output where save into"),
};

const SOURCE: Meaning = Meaning {
    names: Words(
        "source src from oldpath sourcepath frompath old original origin input sourcefile \
         archive archivepath zipfile zippath srcpath oldname inputpath inputfile",
    ),
    weak: Words("path file filename filepath zip name uri tar"),
    against: Words(
        "content text body data encoding type size destination dest dst to new output \
         pattern mode format limit target",
    ),
    formats: Words("path file-path uri"),
    phrases: Words("source from existing original archive current"),
};

const CONTENT: Meaning = Meaning {
    names: Words(
        "content text body data filecontent filetext newcontent markdown payload code \
         string value",
    ),
    weak: Words("message source input note html json csv line"),
    against: Words("path file name type encoding old find search format mode pattern number"),
    formats: Words("textarea markdown text"),
    phrases: Words("content text write data body"),
};

const REPLACEMENT: Meaning = Meaning {
    names: Words(
        "newtext newstring newstr replacement replace replacewith new newcontent after \
         newvalue newcode with updated replacetext replacementtext",
    ),
    weak: Words("content text to value insert string"),
    against: Words(
        "path file name type encoding old find search format mode pattern original before \
         number line all count",
    ),
    formats: Words(""),
    phrases: Words("replace replacement new with"),
};

const FIND: Meaning = Meaning {
    names: Words(
        "oldtext oldstring oldstr find search searchtext old original before oldcontent \
         oldvalue oldcode pattern findtext searchstring match originaltext",
    ),
    weak: Words("target from text query anchor string"),
    against: Words(
        "path file name type encoding new replace replacement format mode after number \
         with",
    ),
    formats: Words(""),
    phrases: Words("replaced search match find existing old"),
};

const PATTERN: Meaning = Meaning {
    names: Words(
        "pattern query glob search regex keyword term searchpattern searchterm searchtext \
         text needle find q searchquery globpattern",
    ),
    weak: Words("name filename string filter content match expression substring"),
    against: Words(
        "exclude ignore include path dir directory folder root limit max type case depth \
         file",
    ),
    formats: Words("regex glob"),
    phrases: Words("pattern search find match glob query"),
};

const IDENT: Meaning = Meaning {
    names: Words(
        "id name key slug title noteid docid documentid identifier notename topic \
         template permalink language lang",
    ),
    weak: Words("ref tag version note document page entry resource branch"),
    against: Words(
        "path file dir directory folder content text user session token type format query \
         pattern",
    ),
    formats: Words(""),
    phrases: Words("identifier name title id slug"),
};

/// What one tool answers with and another takes.
pub(super) const HANDLE: Meaning = Meaning {
    names: Words(
        "id identifier key handle ref reference number num index slot fileid documentid \
         uploadid attachmentid resourceid stagedid",
    ),
    weak: Words("name uri version hash digest"),
    against: Words("path content text query pattern user session limit offset size line max"),
    formats: Words("uuid"),
    phrases: Words("identifier id handle"),
};

/// A parameter that is known by its whole name, in the singular, or not at all.
const fn by_name(names: &'static str) -> Meaning {
    const NONE: Words = Words("");
    Meaning {
        names: Words(names),
        weak: NONE,
        against: NONE,
        formats: NONE,
        phrases: NONE,
    }
}

const HEAD: Meaning = by_name("head headline firstline limitline maxline");
const TAIL: Meaning = by_name("tail tailline lastline");
const OFFSET: Meaning = by_name(
    "offset start skip startbyte byteoffset startoffset frombyte fromoffset position startposition",
);
const LENGTH: Meaning = by_name(
    "length limit count maxbyte byte bytecount maxlength nbyte numbyte bytelength chunksize readsize",
);

const URL: Meaning = Meaning {
    names: Words(
        "url uri link href endpoint webhook callback hook mirror website site webpage baseurl feed feedurl \
         pageurl targeturl websiteurl imageurl sourceurl weburl siteurl",
    ),
    weak: Words("address source src input target location resource page domain host hostname"),
    against: NOT_A_PLACE,
    formats: Words("uri url iri uri-reference"),
    phrases: Words("url uri link website web http webpage"),
};

const HOST: Meaning = Meaning {
    names: Words(
        "host hostname server domain address ip ipaddress domainname fqdn target remote \
         serverhost hostaddress ipordomain hostorip",
    ),
    weak: Words("name endpoint site query destination addr"),
    against: Words(
        "content text body data encoding type size line count pattern mode limit number \
         max min depth message version hash extension command language port path file \
         user url uri record",
    ),
    formats: Words("hostname ipv4 ipv6 idn-hostname"),
    phrases: Words("host hostname server domain ip address dns"),
};

const PORT: Meaning = by_name("port portnumber tcpport serverport targetport remoteport");

const COMMAND: Meaning = Meaning {
    names: Words("command cmd shell commandline cmdline shellcommand argv commands bash exec"),
    weak: Words("script line run input args program"),
    against: Words(
        "path file name mode format timeout cwd dir directory id description type kind category level \
         status",
    ),
    formats: Words(""),
    phrases: Words("command shell execute run terminal"),
};

const CODE: Meaning = Meaning {
    names: Words(
        "code script program snippet source python javascript js pythoncode jscode sourcecode",
    ),
    weak: Words("input text content body expression command"),
    against: Words("path file name mode format timeout cwd dir directory id language url"),
    formats: Words(""),
    phrases: Words("code script program python javascript execute run"),
};

const SQL: Meaning = Meaning {
    names: Words("sql query statement sqlquery querystring select"),
    weak: Words("q text input command"),
    against: Words("path file name mode format timeout table id limit param parameters"),
    formats: Words("sql"),
    phrases: Words("sql query select statement database"),
};

const EXPRESSION: Meaning = Meaning {
    names: Words("expression expr formula equation calculation math calc"),
    weak: Words("input query text problem statement operation code"),
    against: Words("path file name mode format url id unit timezone"),
    formats: Words(""),
    phrases: Words("expression formula mathematical calculate evaluate arithmetic equation"),
};
const HEADERS: Meaning =
    by_name("headers header httpheader requestheader customheader extraheader additionalheader");

const CWD: Meaning = by_name(
    "cwd dir directory folder workdir workingdir workdirectory workingdirectory currentdir \
     currentdirectory currentworkingdirectory workpath workingpath basedir projectdir rootdir",
);

const ENV: Meaning = by_name(
    "env envs environ environment envvar envvars environmentvar environmentvars environmentvariable \
     environmentvariables extraenv envoverride envoverrides",
);

const DIFF: Meaning = Meaning {
    names: Words("patch diff unifieddiff patchtext patchcontent diffcontent"),
    weak: Words("content text input"),
    against: Words("path file name mode format context line"),
    formats: Words(""),
    phrases: Words("patch diff unified"),
};

/// What the parameter of a slot is called in tools of a role.
pub(super) fn meaning(role: Role, slot: Slot) -> &'static Meaning {
    match (role, slot) {
        (Role::FileMove | Role::FileCopy | Role::ArchiveExtract, Slot::Path) => &DESTINATION,
        (Role::FilePatch, Slot::Content) => &DIFF,
        (Role::FileEdit, Slot::Content) => &REPLACEMENT,
        (
            Role::DirList | Role::DirCreate | Role::FileSearch | Role::RepoRead | Role::RepoCreate,
            Slot::Path,
        ) => &DIR_PATH,
        (Role::FileSave, Slot::Path) => &SAVE_PATH,
        (_, Slot::Path | Slot::Paths) => &READ_PATH,
        (_, Slot::Source) => &SOURCE,
        (_, Slot::Content) => &CONTENT,
        (_, Slot::Find) => &FIND,
        (_, Slot::Pattern) => &PATTERN,
        (_, Slot::Ident) => &IDENT,
        (_, Slot::Head) => &HEAD,
        (_, Slot::Tail) => &TAIL,
        (_, Slot::Offset) => &OFFSET,
        (_, Slot::Length) => &LENGTH,
        (_, Slot::Url) => &URL,
        (_, Slot::Host) => &HOST,
        (_, Slot::Port) => &PORT,
        (_, Slot::Headers) => &HEADERS,
        (_, Slot::Cwd) => &CWD,
        (_, Slot::Env) => &ENV,
        (Role::ExecCommand, Slot::Text) => &COMMAND,
        (Role::ExecCode, Slot::Text) => &CODE,
        (Role::SqlQuery, Slot::Text) => &SQL,
        (_, Slot::Text) => &EXPRESSION,
    }
}
